package sim

import (
	"errors"
	"time"

	"flashsale/ledger"
	"flashsale/sale"
)

var errPoison = errors.New("the database refuses its values")

// poison returns the place of the record that cannot settle, -1 when none is. It is one batch of the sale, until the
// operator has refused it.
func (b *books) poison(records []sale.Record) int {
	for i, r := range records {
		if r.Batch == nil || b.read(records[i:i+1], true).SettledBatch(r.Batch) {
			continue
		}
		if b.untilPoison > 0 {
			if b.untilPoison--; b.untilPoison == 0 {
				b.poisoned = r.Batch.BatchID
			}
		}
		if r.Batch.BatchID == b.poisoned {
			return i
		}
	}
	return -1
}

// bury keeps a dead letter. The operator refuses the batch in it after a while.
func (b *books) bury(letter sale.DeadLetter) {
	if _, known := b.letters[letter.ID]; known {
		return
	}
	b.letters[letter.ID] = letter
	if letter.Batch == nil {
		return
	}
	w := b.watch.world
	wait := newChance(w.seed, "refuse"+letter.ID).span(5*time.Second, 9*time.Second)
	w.work.Go(func() {
		time.Sleep(wait)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.refuse(letter)
	})
}

// refuse ends the orders of a dead letter by the operator's hand, unless its batch has been settled or refused meanwhile.
func (b *books) refuse(letter sale.DeadLetter) {
	records := []sale.Record{{Batch: letter.Batch}}
	if known := b.read(records, true); !known.SettledBatch(letter.Batch) {
		plan := ledger.NewPlan(known)
		plan.Refuse(letter.Batch)
		b.write(plan)
		b.watch.world.counter.count("operators: orders refused by hand", len(plan.Refused))
	}
	letter.State = sale.DeadLetterRefused
	b.letters[letter.ID] = letter
}

// lettersWait reports whether a batch waits in the dead letters, and junk how many of the letters hold none.
func (b *books) lettersWait() (waiting bool, junk int) {
	for _, letter := range b.letters {
		if letter.Batch == nil {
			junk++
		}
		waiting = waiting || letter.Batch != nil && letter.State == sale.DeadLetterWaiting
	}
	return waiting, junk
}
