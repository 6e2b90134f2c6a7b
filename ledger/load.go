package ledger

import "flashsale/sale"

// MayBegin reports whether step (e) of a rebuild may begin the next epoch of a row: it is still in the epoch that the
// rebuild knows, and closed, or left loading by a process that died.
func (r *Row) MayBegin(epoch int64) bool { return r.Epoch == epoch && r.State != sale.BucketOpen }

// Begin moves a row into its next epoch and returns what Redis is to be loaded with, all but buyers and window. Every
// outbox row up to Load.Outbox is absorbed in the units: it is to be deleted (rule: outbox-absorbed), and its number goes
// along (rule: outbox-number-loaded).
func (r *Row) Begin() sale.Load {
	r.Epoch++
	r.State = sale.BucketLoading
	r.SettledEpoch, r.MovedEpoch, r.GivenEpoch, r.Sequence = 0, 0, 0, 0
	return sale.Load{BucketRow: r.BucketRow, Available: r.Loaded - r.Settled + r.Released, Outbox: r.Outbox}
}
