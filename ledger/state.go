package ledger

import (
	"flashsale/sale"
)

// Row is a bucket's row in the database. The store locks it from the reading until the commit of the plan. All orders of a
// buyer in a sale belong to one bucket, so the lock covers them too, and so it does the stock rows of the bucket.
type Row struct {
	sale.BucketCounters
	Currency   string
	PaymentTTL int64 // seconds, 0 = no deadline
	SaleLimit  int   // units per buyer over all SKUs of the sale, 0 = none
	Orders     int64 // orders that have ever been confirmed in the bucket: it never falls

	Frozen   bool  // no order of the bucket expires
	ThawNo   int64 // number of the sale's last thaw that has begun, 0 before the first
	ThawedMS int64 // when that was, Unix milliseconds
}

// Units is a stock row: the units of one SKU in one bucket.
type Units struct {
	sale.ShelfCounters
	Number int // of the item
	Limit  int // units per buyer
}

// Free returns the units that no order has: loaded − settled + released.
func (u *Units) Free() int64 { return u.Loaded - u.Settled + u.Released }

// line returns units of the shelf as a line of an outbox row.
func (u *Units) line(units int64) sale.OutboxLine {
	return sale.OutboxLine{SKU: u.SKU, Units: units, Number: u.Number, Limit: u.Limit}
}

// State is what a store has read for a plan. The plan updates it.
type State struct {
	// Closely is false if the store has not read markers and orders. The plan then assumes that there are none, and the
	// store's unique keys fail the write if there is one.
	Closely bool
	NowMS   int64 // by the clock of the store, Unix milliseconds
	Buckets map[sale.Bucket]*Row
	Stock   map[sale.Shelf]*Units
	Markers map[WriteID]sale.OrderID
	Forks   map[Mark]bool
	Orders  map[sale.OrderID]bool // orders that have a row, nil if the store has not read them
	Thaws   map[string][]Thaw     // by sale, of the sales with a thaw after one of the batches was made
	Bought  map[Owner]*Bought     // of every owner of the batches, also if not read closely; none if it has no orders

	last      sale.Shelf // most orders are of the SKU of the order before, so shelf keeps its last answer
	lastUnits *Units
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

// NewState returns a state with these rows and nothing else.
func NewState(buckets map[sale.Bucket]*Row, stock map[sale.Shelf]*Units, nowMS int64, closely bool) *State {
	s := &State{Closely: closely, NowMS: nowMS, Buckets: buckets, Stock: stock, Bought: map[Owner]*Bought{}}
	if closely {
		s.Markers, s.Forks, s.Orders = map[WriteID]sale.OrderID{}, map[Mark]bool{}, map[sale.OrderID]bool{}
	}
	return s
}

// shelf returns the units of a SKU in a bucket, nil if the database has no such row.
func (s *State) shelf(bucket sale.Bucket, sku string) *Units {
	asked := sale.Shelf{Bucket: bucket, SKU: sku}
	if s.lastUnits == nil || s.last != asked {
		s.last, s.lastUnits = asked, s.Stock[asked]
	}
	return s.lastUnits
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
