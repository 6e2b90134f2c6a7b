package ledger

import (
	"maps"
	"slices"

	"flashsale/sale"
)

// Plan is what the store is going to write, decided record by record against a state that the plan keeps up to date.
type Plan struct {
	state *State

	// LookCloser says that the state was not read closely and does not suffice: nothing of the plan may be written.
	LookCloser bool
	// Behind names buckets of which records of a later epoch have come, with that epoch: nothing of the plan may be written.
	Behind map[sale.Bucket]int64

	Markers    []Mark
	Forks      []Mark
	Confirmed  []Order
	Refused    []Order
	Allowances []Allowance
	Released   []Releasing      // orders that leave confirmed and give their units back
	NewStatus  sale.OrderStatus // what they become
	Reason     sale.OrderReason // why they leave it
	Outbox     []sale.OutboxRow
	Done       []sale.Applied // outbox rows that Redis has applied
	Moves      map[sale.Bucket]*Move
	Closing    map[sale.Bucket]string // why

	Settlement sale.Settlement
}

// Order is an order row to be written.
type Order struct {
	*sale.RecordOrder
	*Terms
	Reason  sale.OrderReason // of a refused order
	Slotted bool             // it takes slot 0 of its buyer
}

func (o *Order) owner() Owner { return Owner{o.Sale, o.SKU, o.Buyer} }

func (o *Order) key() Key { return Key{o.owner(), o.RecordOrder.Key} }

// Terms are what all orders of a batch have in common.
type Terms struct {
	sale.Bucket
	PriceCents int64
	Currency   string
	CreatedMS  int64
	UpdatedMS  int64
	PayByMS    int64 // -1: no deadline
}

// Allowance is a unit of a buyer in a sale whose limit is above 1.
type Allowance struct {
	Owner
	Slot    int
	OrderID sale.OrderID
}

// Bounds of a moment that every store can hold, in Unix milliseconds: 1970 to the end of year 9998, which leaves room for
// a payment deadline.
const (
	MinMomentMS = 0
	MaxMomentMS = 253_370_764_799_999
)

// NewPlan begins a plan.
func NewPlan(state *State) *Plan {
	return &Plan{
		state: state, Moves: map[sale.Bucket]*Move{}, Closing: map[sale.Bucket]string{}, Behind: map[sale.Bucket]int64{},
	}
}

// place is how a record relates to the state.
type place struct {
	row        *Row
	late, fork bool
}

// enter finds a record's place and marks it as settled. ok is false when there is nothing to decide: it was settled
// before, it is of an epoch that the row has not begun, or the state does not suffice.
func (p *Plan) enter(m Mark, settled bool) (at place, ok bool) {
	if settled {
		p.Settlement.Duplicate++
		return at, false
	}
	at.row = p.state.Stock[m.Bucket]
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

// mark plans a record's marker, unless its identity is marked already, and reports whether it is a fork.
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

// advance notes the sequence of a write of the row's epoch.
func (p *Plan) advance(row *Row, sequence int64) {
	if sequence > row.Sequence {
		row.Sequence = sequence
		p.move(row).Sequence = sequence
	}
}

// close plans to close a bucket of which Redis and the database disagree, so that a rebuild starts. One that is closed
// already is reported all the same.
func (p *Plan) close(row *Row, why string) {
	if _, planned := p.Closing[row.Bucket]; planned {
		return
	}
	p.Closing[row.Bucket] = why
	p.Settlement.Closed = append(p.Settlement.Closed, row.Bucket)
}

// give adds an outbox row for a bucket in its present epoch, whatever the bucket's state: a rebuild absorbs it.
func (p *Plan) give(row *Row, kind sale.OutboxKind, units int64, orders []sale.ReleasedOrder) {
	row.Outbox++
	m := p.move(row)
	m.Gain.Outbox++
	m.GivenEpoch += units
	p.Outbox = append(p.Outbox, sale.OutboxRow{
		Bucket: row.Bucket, Number: row.Outbox, Epoch: row.Epoch, Kind: kind, Units: units, Orders: orders,
	})
}

// Statuses returns the ids of the plan's orders by the status that they get, in the order in which they are written.
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

// Buckets returns the buckets whose rows a settlement of these records needs: those that took the units and those that
// transfers bring them to.
func Buckets(records []sale.Record) []sale.Bucket {
	needed := map[sale.Bucket]bool{}
	for i := range records {
		switch r := &records[i]; {
		case r.Batch != nil:
			needed[r.Batch.Bucket] = true
		case r.Transfer != nil:
			needed[r.Transfer.Bucket], needed[r.Transfer.Receiver()] = true, true
		}
	}
	return slices.Collect(maps.Keys(needed))
}
