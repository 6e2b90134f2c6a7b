package ledger

import "flashsale/sale"

// MayBegin reports whether step (e) of a rebuild may begin the next epoch of a row: the row is in the given epoch, and it is
// closed, or loading because a process died during a rebuild.
func (r *Row) MayBegin(epoch int64) bool { return r.Epoch == epoch && r.State != sale.BucketOpen }

// Begin moves a row into its next epoch and returns the load for Redis without buyers and window. The units contain every
// outbox row up to Load.Outbox: the caller must delete these rows (rule: outbox-absorbed) and load their number
// (rule: outbox-number-loaded).
func (r *Row) Begin() sale.Load {
	r.Epoch++
	r.State = sale.BucketLoading
	r.SettledEpoch, r.MovedEpoch, r.GivenEpoch, r.Sequence = 0, 0, 0, 0
	return sale.Load{BucketRow: r.BucketRow, Available: r.Loaded - r.Settled + r.Released, Outbox: r.Outbox}
}
