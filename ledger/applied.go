package ledger

import (
	"flashsale/sale"
)

// Applied plans the end of outbox rows that Redis has applied. It marks the sequence of the write in Redis: if Redis loses
// that write and a batch takes the same sequence, the batch is found as a fork. If the sequence has another marker, Applied
// closes the bucket. It does nothing if the row has another epoch, because a rebuild has absorbed the outbox rows.
//
// The row with the number of a is needed if it is a take, nil otherwise and if it is gone. What Redis found of it leaves the
// loaded units. If the bucket is closed, because of the marker or because Redis found units that orders have, the take stays
// in the outbox and the rebuild decides it.
func (p *Plan) Applied(a sale.Applied, take *sale.OutboxRow) {
	row := p.state.Buckets[a.Bucket]
	if row == nil || row.Epoch != a.Epoch {
		return
	}
	if m := MarkOfApplied(&a); !p.state.Settled(m) {
		fork := p.mark(m)
		p.advance(row, a.Sequence)
		if fork {
			p.close(row, ClosedByFork)
		}
	}
	if take != nil && take.Kind == sale.OutboxTake {
		found := foundBy(take, a.Took)
		switch {
		case p.Closing[row.Bucket] != "":
			return
		case !p.free(row, take, found):
			p.close(row, ClosedByTake)
			return
		}
		p.took(row, take, found)
	}
	p.Done = append(p.Done, a)
}

// foundBy returns the units that Redis found, by the lines of a take.
func foundBy(take *sale.OutboxRow, took []sale.SKUUnits) []int64 {
	found := make([]int64, len(take.Lines))
	for i := range take.Lines {
		for _, u := range took {
			if u.SKU == take.Lines[i].SKU {
				found[i] = u.Units
			}
		}
	}
	return found
}

// free reports whether no order has a unit that a take found.
func (p *Plan) free(row *Row, take *sale.OutboxRow, found []int64) bool {
	for i, line := range take.Lines {
		if found[i] > line.Units || found[i] > p.state.shelf(row.Bucket, line.SKU).Free() {
			return false
		}
	}
	return true
}

// took removes from the loaded units what a take found.
func (p *Plan) took(row *Row, take *sale.OutboxRow, found []int64) {
	for i, line := range take.Lines {
		p.load(row, line.SKU, -found[i])
		p.gain(row, line.SKU).GivenEpoch -= found[i]
		p.Took = append(p.Took, Taken{sale.Shelf{Bucket: row.Bucket, SKU: line.SKU}, found[i], take.Change})
	}
}
