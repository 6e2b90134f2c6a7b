package ledger

import (
	"flashsale/sale"
)

// Row is a bucket's row in the database. The store locks it from the reading until the commit of the plan. One row decides
// all orders of a buyer and SKU, so the lock covers them too.
type Row struct {
	sale.BucketCounters
	PriceCents int64
	Currency   string
	Limit      int   // units per buyer
	PaymentTTL int64 // seconds, 0 = no deadline
}

// State is what a store has read for a plan. The plan updates it.
type State struct {
	// Closely is false if the store has not read markers, orders and, for a limit of 1, slots. The plan then assumes that
	// there are none, and the store's unique keys fail the write if there is one.
	Closely bool
	NowMS   int64 // by the clock of the store, Unix milliseconds
	Stock   map[sale.Bucket]*Row
	Markers map[WriteID]sale.OrderID
	Forks   map[Mark]bool
	Orders  map[sale.OrderID]bool // orders that have a row, nil if the store has not read them
	Keys    map[Key]bool          // idempotency keys of orders that are not refused, of owners with MayHaveOrders
	Slots   map[Owner]*Slots
}

// WriteID identifies a write of a bucket in Redis; two records with one WriteID are a fork.
type WriteID struct {
	sale.Bucket
	Epoch, Sequence int64
}

// Mark is a record's identity. ID is that of a batch or a transfer, or the negative number of an outbox row, which is not the
// id of any record.
type Mark struct {
	WriteID
	ID sale.OrderID
}

// Owner is a buyer of a SKU.
type Owner struct{ Sale, SKU, Buyer string }

// Key is an owner's idempotency key.
type Key struct {
	Owner
	Key string
}

// NewState returns a state with these rows and nothing else.
func NewState(stock map[sale.Bucket]*Row, nowMS int64, closely bool) *State {
	s := &State{Closely: closely, NowMS: nowMS, Stock: stock, Keys: map[Key]bool{}, Slots: map[Owner]*Slots{}}
	if closely {
		s.Markers, s.Forks, s.Orders = map[WriteID]sale.OrderID{}, map[Mark]bool{}, map[sale.OrderID]bool{}
	}
	return s
}

// MarkOfBatch returns a batch's identity.
func MarkOfBatch(b *sale.Batch) Mark { return Mark{WriteID{b.Bucket, b.Epoch, b.Sequence}, b.BatchID} }

// MarkOfTransfer returns a transfer's identity.
func MarkOfTransfer(t *sale.Transfer) Mark {
	return Mark{WriteID{t.Bucket, t.Epoch, t.Sequence}, t.TransferID}
}

// MarkOfApplied returns the identity of the write that applied outbox rows in Redis.
func MarkOfApplied(a *sale.Applied) Mark {
	return Mark{WriteID{a.Bucket, a.Epoch, a.Sequence}, sale.OrderID(-a.Number)}
}

// Settled reports whether a record of this identity has a marker. Rule: marker-has-batch-id.
func (s *State) Settled(m Mark) bool {
	id, marked := s.Markers[m.WriteID]
	return marked && (id == m.ID || s.Forks[m])
}

// SettledBatch reports whether exactly this batch has been settled: it has a marker, and each of its orders has a row. The
// marker alone is not sufficient, because a script call that is repeated after a loss in Redis may take more orders than
// before, with the same first id and the same sequence. Rule: duplicate-is-whole.
func (s *State) SettledBatch(batch *sale.Batch) bool {
	if !s.Settled(MarkOfBatch(batch)) {
		return false
	}
	for i := range batch.Orders {
		if !s.Orders[batch.Orders[i].OrderID] {
			return false
		}
	}
	return true
}

// remember marks a record in the state. It reports whether the record is a fork, and whether its identity has a marker
// already.
func (s *State) remember(m Mark) (fork, marked bool) {
	if s.Markers == nil {
		s.Markers, s.Forks = map[WriteID]sale.OrderID{}, map[Mark]bool{}
	}
	id, fork := s.Markers[m.WriteID]
	if !fork {
		s.Markers[m.WriteID] = m.ID
		return false, false
	}
	marked = id == m.ID || s.Forks[m]
	if !marked {
		s.Forks[m] = true
	}
	return true, marked
}

// SlotsOf returns the slots of an owner, for reading and setting.
func (s *State) SlotsOf(o Owner) *Slots {
	taken := s.Slots[o]
	if taken == nil {
		taken = &Slots{}
		s.Slots[o] = taken
	}
	return taken
}

// MayHaveOrders reports whether an owner may have an order that is not refused, so that the store must read the owner's keys
// too. The store must have read the slots. If no order of the bucket has given units back, every such order has a slot; if
// the store has not read the slots, the unique key over them fails the write.
func (s *State) MayHaveOrders(row *Row, o Owner) bool {
	taken := s.Slots[o]
	return s.Closely || row.Released > 0 || taken != nil && *taken != Slots{}
}
