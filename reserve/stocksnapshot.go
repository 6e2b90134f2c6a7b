package reserve

import "flashsale/sale"

// stockSnapshot is a reading of some SKUs in all buckets of a sale: first Redis, bucket by bucket, then the database, all
// buckets at one moment. A column is the index of a SKU in it.
//
// It proves something of a SKU when Redis is read again and no bucket has changed the SKU between: then every first reading of
// the SKU is also true at the moment of the database's reading. If at that moment the database has settled every unit of the
// SKU that transfers took, and Redis has every unit of it that the database gave back, then no unit is on its way, and the
// buckets have all units of the SKU (rule: whole-sku).
type stockSnapshot struct {
	skus     []string // by column
	readings []sale.StockReading
	counters []sale.StockCounters
	judged   []judged // by column, from readings and counters
	promised []int64  // by shelf: units that the bucket's own buyers are about to take: they must not be moved
	demand   []int64  // by shelf: units that the waiting purchases of the bucket need
}

// judged is what a snapshot says of a SKU.
type judged struct {
	total  int64 // units in all buckets
	whole  bool
	moving bool
}

func newStockSnapshot(skus []string, readings []sale.StockReading) *stockSnapshot {
	shelves := len(skus) * len(readings)
	return &stockSnapshot{
		skus: skus, readings: readings, promised: make([]int64, shelves), demand: make([]int64, shelves),
	}
}

// setCounters completes the snapshot by the books.
func (s *stockSnapshot) setCounters(counters []sale.StockCounters) {
	s.counters, s.judged = counters, make([]judged, len(s.skus))
	for column := range s.judged {
		s.judged[column] = judged{total: s.total(column), whole: s.whole(column), moving: s.moving(column)}
	}
}

// shelf returns the index of a bucket's units of a SKU.
func (s *stockSnapshot) shelf(number, column int) int { return number*len(s.skus) + column }

func (s *stockSnapshot) available(number, column int) int64 {
	return s.readings[number].Shelves[column].Available
}

// unpromised is how many units a bucket has beyond those promised.
func (s *stockSnapshot) unpromised(number, column int) int64 {
	return s.available(number, column) - s.promised[s.shelf(number, column)]
}

// spare is how many units a bucket has beyond those that its own buyers take or wait for; negative when it needs more.
func (s *stockSnapshot) spare(number, column int) int64 {
	return s.unpromised(number, column) - s.demand[s.shelf(number, column)]
}

// sound reports whether a bucket sells: it is open, and Redis is in the database's epoch.
func (s *stockSnapshot) sound(number int) bool {
	return s.counters[number].State == sale.BucketOpen && s.counters[number].Epoch == s.readings[number].Epoch
}

// whole reports whether every bucket sells the SKU.
func (s *stockSnapshot) whole(column int) bool {
	for number := range s.readings {
		if !s.sound(number) || s.readings[number].Shelves[column].Foreign {
			return false
		}
	}
	return true
}

// moving reports whether units of the SKU are on their way to a bucket: taken from another one and not settled, or given by
// the database and not in Redis (rule: sold-out-by-books).
func (s *stockSnapshot) moving(column int) bool {
	for number := range s.readings {
		r, c := &s.readings[number].Shelves[column], &s.counters[number].Shelves[column]
		if r.Moved != c.MovedEpoch || r.Returned != c.GivenEpoch {
			return true
		}
	}
	return false
}

// total is the sum of the buckets' units of the SKU.
func (s *stockSnapshot) total(column int) int64 {
	var units int64
	for number := range s.readings {
		units += s.available(number, column)
	}
	return units
}

// still reports whether no bucket has changed a SKU between two readings, where the second has it in the column in of its own
// (rule: sold-out-read-again). A Redis that lost writes between them may show one bucket empty before the loss and another one
// empty after it, although they never were at once: then the sequence is lower. It may be higher, because the bucket also
// sells other SKUs. A bucket that lost writes may reach the same sequence again by other writes, so all counters of the SKU
// are compared too; taken only grows within an epoch.
func (s *stockSnapshot) still(column int, again []sale.StockReading, in int) bool {
	for number := range s.readings {
		first, second := &s.readings[number], &again[number]
		r, a := &first.Shelves[column], &second.Shelves[in]
		if second.Epoch != first.Epoch || second.Sequence < first.Sequence || a.Available != r.Available ||
			a.Taken != r.Taken || a.Moved != r.Moved || a.Returned != r.Returned {
			return false
		}
	}
	return true
}
