package ledger

import (
	"flashsale/sale"
)

// Plan is what the store must write. It decides record by record and updates the state after each.
type Plan struct {
	state *State

	// LookCloser reports that the state was not read closely and is not sufficient: the store must not write the plan.
	LookCloser bool
	// Behind is the buckets with records of a later epoch, and that epoch. If there are any, the store must not write the
	// plan.
	Behind map[sale.Bucket]int64

	Markers   []Mark
	Forks     []Mark
	Confirmed []Order
	Refused   []Order
	Released  []Releasing      // confirmed orders that give their units back
	NewStatus sale.OrderStatus // their new status
	Reason    sale.OrderReason // their new reason
	Outbox    []sale.OutboxRow
	Done      []sale.Applied // outbox rows that Redis has applied
	Took      []Taken        // what takes that Redis has applied have removed
	Moves     map[sale.Bucket]*Move
	Gains     map[sale.Shelf]*Gain   // every bucket of a gain has a move
	Closing   map[sale.Bucket]string // the reason

	Settlement sale.Settlement

	last     sale.Shelf // gain keeps its last answer, as State.shelf does
	lastGain *Gain
	accounts map[string]account // by SKU, in the bucket of
	of       *Row
	ordered  []account                   // of the lines of the order that is decided
	firsts   map[Owner]*sale.RecordOrder // of owners that the state does not have
	nothing  Bought                      // what these have bought before
}

// Order is an order row that the store must write.
type Order struct {
	*sale.RecordOrder
	*Terms
	Reason sale.OrderReason // of a refused order
}

// Terms are the columns that all orders of a batch share.
type Terms struct {
	sale.Bucket
	Currency  string
	CreatedMS int64
	UpdatedMS int64
	PayByMS   int64 // Unix milliseconds; -1: no deadline
	ThawNo    int64 // the last thaw that PayByMS takes into account
}

// Bounds of a time that every store can hold, in Unix milliseconds: 1970 to the end of year 9998, so that a payment deadline
// after it fits too.
const (
	MinMomentMS = 0
	MaxMomentMS = 253_370_764_799_999
)

// NewPlan begins a plan.
func NewPlan(state *State) *Plan {
	return &Plan{
		state: state, Moves: map[sale.Bucket]*Move{}, Gains: map[sale.Shelf]*Gain{}, Closing: map[sale.Bucket]string{},
		Behind: map[sale.Bucket]int64{},
	}
}

// standing is how a record relates to the state.
type standing struct {
	row        *Row
	late, fork bool
}

// enter finds a record's standing and marks it as settled. ok is false if there is nothing to decide: the record was settled
// before, the row has not begun its epoch, or the state is not sufficient.
func (p *Plan) enter(m Mark, settled bool) (at standing, ok bool) {
	if settled {
		p.Settlement.Duplicate++
		return at, false
	}
	at.row = p.state.Buckets[m.Bucket]
	if m.Epoch > at.row.Epoch {
		p.Behind[m.Bucket] = max(p.Behind[m.Bucket], m.Epoch)
		return at, false
	}
	at.late = m.Epoch != at.row.Epoch // rule: late-is-refused
	at.fork = p.mark(m)
	if (at.late || at.fork) && !p.state.Closely {
		p.LookCloser = true
		return at, false
	}
	return at, true
}

// mark plans a record's marker, unless its identity has one, and reports whether the record is a fork.
func (p *Plan) mark(m Mark) (fork bool) {
	fork, marked := p.state.remember(m)
	switch {
	case fork && !marked:
		p.Forks = append(p.Forks, m)
	case !fork:
		p.Markers = append(p.Markers, m)
	}
	return fork
}

func (p *Plan) move(row *Row) *Move {
	m := p.Moves[row.Bucket]
	if m == nil {
		m = &Move{Epoch: row.Epoch, Sequence: row.Sequence}
		p.Moves[row.Bucket] = m
	}
	return m
}

// advance raises the row's sequence to that of a write of its epoch.
func (p *Plan) advance(row *Row, sequence int64) {
	if sequence > row.Sequence {
		row.Sequence = sequence
		p.move(row).Sequence = sequence
	}
}

// close plans to close a bucket about which Redis and the database disagree, so that a rebuild starts. It also reports a
// bucket that is closed already.
func (p *Plan) close(row *Row, why string) {
	if _, planned := p.Closing[row.Bucket]; planned {
		return
	}
	p.Closing[row.Bucket] = why
	p.Settlement.Closed = append(p.Settlement.Closed, row.Bucket)
}

// gain returns what the plan adds to a stock row, and has the plan move its bucket.
func (p *Plan) gain(row *Row, sku string) *Gain {
	shelf := sale.Shelf{Bucket: row.Bucket, SKU: sku}
	if p.lastGain != nil && p.last == shelf {
		return p.lastGain
	}
	g := p.Gains[shelf]
	if g == nil {
		g = &Gain{}
		p.Gains[shelf] = g
		p.move(row)
	}
	p.last, p.lastGain = shelf, g
	return g
}

// account is a stock row and what the plan adds to it.
type account struct {
	units *Units
	gain  *Gain
}

// account returns the account of a SKU in a bucket, an empty one if the database has no such stock row. A batch of many SKUs
// asks for each of them many times, so it is found by the SKU alone.
func (p *Plan) account(row *Row, sku string) account {
	if p.of != row {
		p.of, p.accounts = row, map[string]account{}
	}
	a, known := p.accounts[sku]
	if !known {
		if a.units = p.state.shelf(row.Bucket, sku); a.units != nil {
			a.gain = p.gain(row, sku)
		}
		p.accounts[sku] = a
	}
	return a
}

// give adds an outbox row for a bucket in its present epoch. The bucket may have any state, because a rebuild absorbs the row.
// The caller counts the units that the row gives.
func (p *Plan) give(row *Row, given sale.OutboxRow) {
	row.Outbox++
	p.move(row).Outbox++
	given.Bucket, given.Number, given.Epoch = row.Bucket, row.Outbox, row.Epoch
	p.Outbox = append(p.Outbox, given)
}

// Statuses returns the ids of the plan's orders by their new status, in the order of the plan.
func (p *Plan) Statuses() map[sale.OrderStatus][]sale.OrderID {
	ids := map[sale.OrderStatus][]sale.OrderID{}
	for _, o := range p.Confirmed {
		ids[sale.StatusConfirmed] = append(ids[sale.StatusConfirmed], o.OrderID)
	}
	for _, o := range p.Refused {
		ids[sale.StatusRefused] = append(ids[sale.StatusRefused], o.OrderID)
	}
	for _, o := range p.Released {
		ids[p.NewStatus] = append(ids[p.NewStatus], o.OrderID)
	}
	return ids
}
