package sim

import (
	"context"
	"errors"
	"time"

	"flashsale/sale"
	"flashsale/settle"
	"flashsale/test/memory"
)

var errPoison = errors.New("the database refuses its values")

// poison picks the record that cannot settle. It is one batch of the sale, until the operator has refused it.
func (d *database) poison(t *memory.Tables, deliveries []sale.Delivery) *sale.PoisonError {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range deliveries {
		batch := deliveries[i].Record.Batch
		if batch == nil || t.Settled(batch) {
			continue
		}
		if d.untilPoison > 0 {
			if d.untilPoison--; d.untilPoison == 0 {
				d.poisoned = batch.BatchID
			}
		}
		if batch.BatchID == d.poisoned {
			return &sale.PoisonError{Index: i, Reason: sale.PoisonData, Err: errPoison}
		}
	}
	return nil
}

// AddDeadLetter keeps a dead letter. The operator refuses the batch in a new one after a while, or replays it.
func (d *database) AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error {
	_, err := d.DeadLetter(ctx, letter.ID)
	known := err == nil
	if err := d.Database.AddDeadLetter(ctx, letter); err != nil || known || letter.Batch == nil {
		return err
	}
	chance := newChance(d.world.seed, "letter"+letter.ID)
	wait, replays := chance.span(5*time.Second, 9*time.Second), chance.one(2)
	d.world.work.Go(func() {
		time.Sleep(wait)
		if replays {
			d.replay(letter.ID)
			return
		}
		if err := d.RefuseDeadLetter(context.Background(), letter.ID); err != nil {
			d.world.watch.fault("dead letter %s could not be refused: %v", letter.ID, err)
		}
	})
	return nil
}

// replay settles a dead letter, after the operator has mended what made the database refuse it. Most letters are short of a
// rebuild by then; the orders of the others become refused.
func (d *database) replay(id string) {
	letter, err := d.DeadLetter(context.Background(), id)
	if err != nil {
		d.world.watch.fault("dead letter %s is gone: %v", id, err)
	}
	d.mu.Lock()
	d.poisoned = 0
	for _, o := range letter.Orders {
		d.again[o.OrderID] = true
	}
	d.mu.Unlock()
	for range 2 { // the second time it changes nothing
		changed, err := settle.Replay(context.Background(), d, id)
		if err != nil {
			d.world.watch.fault("dead letter %s could not be replayed: %v", id, err)
		}
		d.world.counter.count("operators: dead letters replayed", int(oneIf(changed)))
	}
}

// lettersWait reports whether a batch waits in the dead letters; junk is the number of letters without a batch.
func lettersWait(t *memory.Tables) (waiting bool, junk int) {
	for _, letter := range t.Letters {
		if letter.Batch == nil {
			junk++
		}
		waiting = waiting || letter.Batch != nil && letter.State == sale.DeadLetterWaiting
	}
	return waiting, junk
}

// replayed reports whether an order was in a dead letter that was replayed, which may be too late for its epoch.
func (d *database) replayed(id sale.OrderID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.again[id]
}
