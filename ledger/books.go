package ledger

import (
	"flashsale/sale"
)

// Row is a bucket's row in the books. It is locked from the reading until the plan is written, and with it everything
// that depends on it: all orders of a buyer and SKU are decided under the lock of the same row.
type Row struct {
	sale.BucketBooks
	PriceCents int64
	Currency   string
	Limit      int   // units per buyer
	PaymentTTL int64 // seconds, 0 = no deadline
}

// Books are what is known when a plan is made. The plan keeps them up to date.
type Books struct {
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

// NewBooks returns books that know these rows and nothing else.
func NewBooks(stock map[sale.Bucket]*Row, nowMS int64, closely bool) *Books {
	b := &Books{Closely: closely, NowMS: nowMS, Stock: stock, Keys: map[Key]bool{}, Slots: map[Owner]*Slots{}}
	if closely {
		b.Markers, b.Forks, b.Orders = map[Place]sale.OrderID{}, map[Mark]bool{}, map[sale.OrderID]bool{}
	}
	return b
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
func (b *Books) Settled(m Mark) bool {
	id, marked := b.Markers[m.Place]
	return marked && (id == m.ID || b.Forks[m])
}

// SettledBatch reports whether this very batch has been settled: it is marked and each of its orders has a row. The marker
// alone does not tell, because a call that is asked again after a loss may take more orders than the first time, under the
// same first id and at the same sequence. Rule: duplicate-is-whole.
func (b *Books) SettledBatch(batch *sale.Batch) bool {
	if !b.Settled(MarkOfBatch(batch)) {
		return false
	}
	for i := range batch.Orders {
		if !b.Orders[batch.Orders[i].OrderID] {
			return false
		}
	}
	return true
}

// remember notes a record that is about to be settled. It reports whether it is a fork, and whether a record of the same
// identity is marked already.
func (b *Books) remember(m Mark) (fork, marked bool) {
	if b.Markers == nil {
		b.Markers, b.Forks = map[Place]sale.OrderID{}, map[Mark]bool{}
	}
	id, fork := b.Markers[m.Place]
	if !fork {
		b.Markers[m.Place] = m.ID
		return false, false
	}
	marked = id == m.ID || b.Forks[m]
	if !marked {
		b.Forks[m] = true
	}
	return true, marked
}

// SlotsOf returns the slots of an owner, to be read or set.
func (b *Books) SlotsOf(o Owner) *Slots {
	taken := b.Slots[o]
	if taken == nil {
		taken = &Slots{}
		b.Slots[o] = taken
	}
	return taken
}

// MayHaveOrders reports whether an owner may have an order that is not refused, once his slots are read, so that his keys
// have to be read as well. As long as a bucket has got nothing back, all such orders hold slots; where those were not read
// the unique key over them will object.
func (b *Books) MayHaveOrders(row *Row, o Owner) bool {
	taken := b.Slots[o]
	return b.Closely || row.Released > 0 || taken != nil && *taken != Slots{}
}
