package ledger

// Move is what a plan does to a bucket's row.
type Move struct {
	Epoch    int64 // the epoch that the row must have
	Sequence int64 // the row's new sequence
	Outbox   int64 // outbox rows that the plan adds
	Orders   int64 // orders that the plan confirms
}

// Apply changes a row like an UPDATE that is guarded by the epoch. If the row has another epoch, it changes nothing and
// returns false.
func (m *Move) Apply(r *Row) bool {
	if r.Epoch != m.Epoch {
		return false
	}
	r.Outbox += m.Outbox
	r.Orders += m.Orders
	r.Sequence = m.Sequence
	return true
}

// Gain is what a plan adds to the counters of a stock row. A plan with a gain has a move of its bucket too, and the epoch of
// the move is that of the gain.
type Gain struct {
	Loaded       int64 // negative if a transfer or a take moves units out
	Settled      int64 // units of confirmed orders
	Released     int64
	SettledEpoch int64 // units of all orders and transfers of the epoch's records
	MovedEpoch   int64
	GivenEpoch   int64 // negative if a take has removed more than the other outbox rows have given
}

// Needs returns the free units that the row must have before the gain: settled − released + Needs ≤ loaded.
func (g *Gain) Needs() int64 { return g.Settled - g.Released - g.Loaded }

// Apply changes a stock row like an UPDATE that is guarded by its units. If the guard does not match, it changes nothing and
// returns false. Rule: guard-with-released.
func (g *Gain) Apply(u *Units) bool {
	if u.Settled-u.Released+g.Needs() > u.Loaded {
		return false
	}
	u.Loaded += g.Loaded
	u.Settled += g.Settled
	u.Released += g.Released
	u.SettledEpoch += g.SettledEpoch
	u.MovedEpoch += g.MovedEpoch
	u.GivenEpoch += g.GivenEpoch
	return true
}
