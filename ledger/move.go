package ledger

// Gain is what a plan adds to the counters of a bucket's row.
type Gain struct {
	Loaded       int64 // negative where a transfer takes units out
	Settled      int64 // units of confirmed orders
	Released     int64
	SettledEpoch int64 // units of all orders and transfers of the epoch's records
	MovedEpoch   int64
	GivenEpoch   int64
	Outbox       int64 // outbox rows
}

// Needs returns the units that must be free in the row before the gain: settled − released + Needs ≤ loaded.
func (g Gain) Needs() int64 { return g.Settled - g.Released - g.Loaded }

// Move is what a plan does to a bucket's row.
type Move struct {
	Epoch    int64 // the row must still be in it
	Sequence int64 // the row's from then on
	Gain
}

// Apply moves a row, as an UPDATE guarded by epoch and stock does; false, and nothing is changed, when the guard does not
// match. Rule: guard-with-released.
func (m *Move) Apply(r *Row) bool {
	if r.Epoch != m.Epoch || r.Settled-r.Released+m.Needs() > r.Loaded {
		return false
	}
	r.Loaded += m.Loaded
	r.Settled += m.Settled
	r.Released += m.Released
	r.SettledEpoch += m.SettledEpoch
	r.MovedEpoch += m.MovedEpoch
	r.GivenEpoch += m.GivenEpoch
	r.Outbox += m.Gain.Outbox
	r.Sequence = m.Sequence
	return true
}
