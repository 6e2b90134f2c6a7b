package ledger

import (
	"maps"
	"slices"

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

	Markers    []Mark
	Forks      []Mark
	Confirmed  []Order
	Refused    []Order
	Allowances []Allowance
	Released   []Releasing      // confirmed orders that give their units back
	NewStatus  sale.OrderStatus // their new status
	Reason     sale.OrderReason // their new reason
	Outbox     []sale.OutboxRow
	Done       []sale.Applied // outbox rows that Redis has applied
	Moves      map[sale.Bucket]*Move
	Closing    map[sale.Bucket]string // the reason

	Settlement sale.Settlement
}

// Order is an order row that the store must write.
type Order struct {
	*sale.RecordOrder
	*Terms
	Reason  sale.OrderReason // of a refused order
	Slotted bool             // it takes slot 0 of its buyer
}

func (o *Order) owner() Owner { return Owner{o.Sale, o.SKU, o.Buyer} }

func (o *Order) key() Key { return Key{o.owner(), o.RecordOrder.Key} }

// Terms are the columns that all orders of a batch share.
type Terms struct {
	sale.Bucket
	PriceCents int64
	Currency   string
	CreatedMS  int64
	UpdatedMS  int64
	PayByMS    int64 // Unix milliseconds; -1: no deadline
}

// Allowance is a unit of a buyer in a sale whose limit is above 1.
type Allowance struct {
	Owner
	Slot    int
	OrderID sale.OrderID
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
		state: state, Moves: map[sale.Bucket]*Move{}, Closing: map[sale.Bucket]string{}, Behind: map[sale.Bucket]int64{},
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

// give adds an outbox row for a bucket in its present epoch. The bucket may have any state, because a rebuild absorbs the row.
func (p *Plan) give(row *Row, kind sale.OutboxKind, units int64, orders []sale.ReleasedOrder) {
	row.Outbox++
	m := p.move(row)
	m.Gain.Outbox++
	m.GivenEpoch += units
	p.Outbox = append(p.Outbox, sale.OutboxRow{
		Bucket: row.Bucket, Number: row.Outbox, Epoch: row.Epoch, Kind: kind, Units: units, Orders: orders,
	})
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

// Buckets returns the buckets whose rows a settlement of these records needs: those of the records and the receivers of the
// transfers.
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
