package ledger

import (
	"flashsale/sale"
)

// Row is a bucket's row in the database. The store locks it from the reading until the plan is written, and with it
// everything that depends on it: all orders of a buyer and SKU are decided under the lock of the same row.
type Row struct {
	sale.BucketCounters
	PriceCents int64
	Currency   string
	Limit      int   // units per buyer
	PaymentTTL int64 // seconds, 0 = no deadline
}

// State is what a store has read when a plan is made. The plan keeps it up to date.
type State struct {
	// Closely is false when markers, orders and, where the limit is 1, slots were not read and are taken as absent: the
	// store's unique keys will object where one is there.
	Closely bool
	NowMS   int64 // by the clock of the store, Unix milliseconds
	Stock   map[sale.Bucket]*Row
	Markers map[Place]sale.OrderID
	Forks   map[Mark]bool
	Orders  map[sale.OrderID]bool // orders that have a row, nil when they were not read
	Keys    map[Key]bool          // idempotency keys of orders that are not refused, of those who MayHaveOrders
	Slots   map[Owner]*Slots
}

// Place is where a write of a bucket belongs; two records at one place are a fork.
type Place struct {
	sale.Bucket
	Epoch, Sequence int64
}

// Mark is a record's identity. The id is a batch's, a transfer's, or the negative number of an outbox row, which no
// record has.
type Mark struct {
	Place
	ID sale.OrderID
}

// Owner is a buyer of a SKU.
type Owner struct{ Sale, SKU, Buyer string }

// Key is an owner's idempotency key.
type Key struct {
	Owner
	Key string
}

// NewState returns a state that has these rows and nothing else.
func NewState(stock map[sale.Bucket]*Row, nowMS int64, closely bool) *State {
	s := &State{Closely: closely, NowMS: nowMS, Stock: stock, Keys: map[Key]bool{}, Slots: map[Owner]*Slots{}}
	if closely {
		s.Markers, s.Forks, s.Orders = map[Place]sale.OrderID{}, map[Mark]bool{}, map[sale.OrderID]bool{}
	}
	return s
}

// MarkOfBatch returns a batch's identity.
func MarkOfBatch(b *sale.Batch) Mark { return Mark{Place{b.Bucket, b.Epoch, b.Sequence}, b.BatchID} }

// MarkOfTransfer returns a transfer's identity.
func MarkOfTransfer(t *sale.Transfer) Mark {
	return Mark{Place{t.Bucket, t.Epoch, t.Sequence}, t.TransferID}
}

// MarkOfApplied returns the identity of the write that brought outbox rows to Redis.
func MarkOfApplied(a *sale.Applied) Mark {
	return Mark{Place{a.Bucket, a.Epoch, a.Sequence}, sale.OrderID(-a.Number)}
}

// Settled reports whether a record of this identity has been settled. Rule: marker-has-batch-id.
func (s *State) Settled(m Mark) bool {
	id, marked := s.Markers[m.Place]
	return marked && (id == m.ID || s.Forks[m])
}

// SettledBatch reports whether this very batch has been settled: it is marked and each of its orders has a row. The marker
// alone does not tell, because a call that is asked again after a loss may take more orders than the first time, under the
// same first id and at the same sequence. Rule: duplicate-is-whole.
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

// remember notes a record that is about to be settled. It reports whether it is a fork, and whether a record of the same
// identity is marked already.
func (s *State) remember(m Mark) (fork, marked bool) {
	if s.Markers == nil {
		s.Markers, s.Forks = map[Place]sale.OrderID{}, map[Mark]bool{}
	}
	id, fork := s.Markers[m.Place]
	if !fork {
		s.Markers[m.Place] = m.ID
		return false, false
	}
	marked = id == m.ID || s.Forks[m]
	if !marked {
		s.Forks[m] = true
	}
	return true, marked
}

// SlotsOf returns the slots of an owner, to be read or set.
func (s *State) SlotsOf(o Owner) *Slots {
	taken := s.Slots[o]
	if taken == nil {
		taken = &Slots{}
		s.Slots[o] = taken
	}
	return taken
}

// MayHaveOrders reports whether an owner may have an order that is not refused, once his slots are read, so that his keys
// have to be read as well. As long as a bucket has got nothing back, all such orders hold slots; where those were not read
// the unique key over them will object.
func (s *State) MayHaveOrders(row *Row, o Owner) bool {
	taken := s.Slots[o]
	return s.Closely || row.Released > 0 || taken != nil && *taken != Slots{}
}
