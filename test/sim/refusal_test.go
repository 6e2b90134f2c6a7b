package sim

import (
	"context"
	"errors"
	"time"

	"flashsale/sale"
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

// AddDeadLetter keeps a dead letter. The operator refuses the batch in a new one after a while.
func (d *database) AddDeadLetter(ctx context.Context, letter sale.DeadLetter) error {
	_, err := d.DeadLetter(ctx, letter.ID)
	known := err == nil
	if err := d.Database.AddDeadLetter(ctx, letter); err != nil || known || letter.Batch == nil {
		return err
	}
	wait := newChance(d.world.seed, "refuse"+letter.ID).span(5*time.Second, 9*time.Second)
	d.world.work.Go(func() {
		time.Sleep(wait)
		if err := d.RefuseDeadLetter(context.Background(), letter.ID); err != nil {
			d.world.watch.fault("dead letter %s could not be refused: %v", letter.ID, err)
		}
	})
	return nil
}

// lettersWait reports whether a batch waits in the dead letters, and junk how many of the letters hold none.
func lettersWait(t *memory.Tables) (waiting bool, junk int) {
	for _, letter := range t.Letters {
		if letter.Batch == nil {
			junk++
		}
		waiting = waiting || letter.Batch != nil && letter.State == sale.DeadLetterWaiting
	}
	return waiting, junk
}
