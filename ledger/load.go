package ledger

import "flashsale/sale"

// Taken is what a take has removed from a shelf: 0 to as many units as its outbox row asked. Change is the idempotency key
// of its stock change, empty when it has none.
type Taken struct {
	sale.Shelf
	Units  int64
	Change string
}

// MayBegin reports whether step (e) of a rebuild may begin the next epoch of a row: the row is in the given epoch, and it is
// closed, or loading because a process died during a rebuild. A bucket of an archived sale begins no epoch.
func (r *Row) MayBegin(epoch int64) bool { return r.Epoch == epoch && r.State.MayLoad() }

// Archive moves a bucket, the row and all its stock rows, into its last epoch: a record of an earlier one that settles now is
// late and changes no units.
func (r *Row) Archive(units []*Units) {
	r.Epoch++
	r.State = sale.BucketArchived
	r.Sequence = 0
	for _, u := range units {
		u.SettledEpoch, u.MovedEpoch, u.GivenEpoch = 0, 0, 0
	}
}

// Begin moves a bucket, the row and all its stock rows, into its next epoch and returns the load for Redis without buyers
// and window. The units contain every outbox row up to Load.Outbox: the caller must delete these rows
// (rule: outbox-absorbed) and load their number (rule: outbox-number-loaded). Of the rows, takes are not in the units yet, so
// Begin decides them: each removes as many units as it asked and no order has (rule: take-absorbed). The caller must write what
// they took; the answer has an element for every line of a take, also for one that took nothing. Rows of other kinds are ignored.
func (r *Row) Begin(units []*Units, rows []sale.OutboxRow) (sale.Load, []Taken) {
	r.Epoch++
	r.State = sale.BucketLoading
	r.Sequence = 0
	of := make(map[string]*Units, len(units))
	for _, u := range units {
		u.SettledEpoch, u.MovedEpoch, u.GivenEpoch = 0, 0, 0
		of[u.SKU] = u
	}
	var taken []Taken
	for i := range rows {
		if rows[i].Kind == sale.OutboxTake {
			taken = append(taken, r.absorb(&rows[i], of)...)
		}
	}
	load := sale.Load{BucketRow: r.BucketRow, Outbox: r.Outbox, Stock: make([]sale.ShelfLoad, len(units))}
	for i, u := range units {
		load.Stock[i] = sale.ShelfLoad{SKU: u.SKU, Available: u.Free(), Number: u.Number, Limit: u.Limit}
	}
	return load, taken
}

// absorb takes what an open take asks.
func (r *Row) absorb(row *sale.OutboxRow, of map[string]*Units) []Taken {
	taken := make([]Taken, len(row.Lines))
	for i, line := range row.Lines {
		taken[i] = Taken{Shelf: sale.Shelf{Bucket: r.Bucket, SKU: line.SKU}, Change: row.Change}
		if u := of[line.SKU]; u != nil {
			taken[i].Units = max(min(line.Units, u.Free()), 0)
			u.Loaded -= taken[i].Units
		}
	}
	return taken
}
