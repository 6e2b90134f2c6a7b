package ledger

import (
	"slices"

	"flashsale/sale"
)

// Applied plans the end of outbox rows that Redis has applied. It marks the sequence of the write in Redis: if Redis loses
// that write and a batch takes the same sequence, the batch is found as a fork. If the sequence has another marker, Applied
// closes the bucket. It does nothing if the row has another epoch, because a rebuild has absorbed the outbox rows.
//
// The takes are those that the outbox has, of this bucket at least up to the number of a. If the row with that number is one of
// them, what Redis found leaves the loaded units; if it is gone, they left before (rule: found-once). If the bucket is closed,
// because of the marker or because Redis found units that orders have, the take stays in the outbox and the rebuild decides it.
// If a does not say what Redis found of a take among its rows, Applied does nothing: without that the take would be deleted, and
// its units would stay loaded.
func (p *Plan) Applied(a sale.Applied, takes []sale.OutboxRow) {
	row := p.state.Buckets[a.Bucket]
	take, whole := p.takeOf(&a, takes)
	if row == nil || row.Epoch != a.Epoch || !whole {
		return
	}
	if m := MarkOfApplied(&a); !p.state.Settled(m) {
		fork := p.mark(m)
		p.advance(row, a.Sequence)
		if fork {
			p.close(row, ClosedByFork)
		}
	}
	if take != nil {
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

// takeOf returns the take with the number of a, nil if that row is none. whole is false if a lacks what Redis found of a take
// among its rows.
func (p *Plan) takeOf(a *sale.Applied, takes []sale.OutboxRow) (take *sale.OutboxRow, whole bool) {
	for i := range takes {
		row := &takes[i]
		switch {
		case row.Kind != sale.OutboxTake || row.Bucket != a.Bucket || row.Number > a.Number || p.done(row):
		case row.Number == a.Number && len(row.Lines) == len(a.Took):
			take = row
		default:
			return nil, false
		}
	}
	return take, true
}

// done reports whether the plan deletes a row already.
func (p *Plan) done(row *sale.OutboxRow) bool {
	return slices.ContainsFunc(p.Done, func(a sale.Applied) bool { return a.Bucket == row.Bucket && a.Number >= row.Number })
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

// free reports whether no order has a unit that a take found. Rule: found-guard.
func (p *Plan) free(row *Row, take *sale.OutboxRow, found []int64) bool {
	for i, line := range take.Lines {
		if found[i] > line.Units || found[i] > p.state.shelf(row.Bucket, line.SKU).Free() {
			return false
		}
	}
	return true
}

// took removes what a take found from the loaded units, and from those given in this epoch. Rule: found-lowers-loaded.
func (p *Plan) took(row *Row, take *sale.OutboxRow, found []int64) {
	for i, line := range take.Lines {
		p.load(row, line.SKU, -found[i])
		p.gain(row, line.SKU).GivenEpoch -= found[i]
		p.Took = append(p.Took, Taken{sale.Shelf{Bucket: row.Bucket, SKU: line.SKU}, found[i], take.Change})
	}
}
