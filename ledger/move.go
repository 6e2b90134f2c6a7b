package ledger

// Gain is what a plan adds to the counters of a bucket's row.
type Gain struct {
	Loaded       int64 // negative if a transfer takes units out
	Settled      int64 // units of confirmed orders
	Released     int64
	SettledEpoch int64 // units of all orders and transfers of the epoch's records
	MovedEpoch   int64
	GivenEpoch   int64
	Outbox       int64 // outbox rows
}

// Needs returns the free units that the row must have before the gain: settled − released + Needs ≤ loaded.
func (g Gain) Needs() int64 { return g.Settled - g.Released - g.Loaded }

// Move is what a plan does to a bucket's row.
type Move struct {
	Epoch    int64 // the epoch that the row must have
	Sequence int64 // the row's new sequence
	Gain
}

// Apply changes a row like an UPDATE that is guarded by epoch and stock. If the guard does not match, it changes nothing and
// returns false. Rule: guard-with-released.
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
