package reserve

import "flashsale/sale"

// skuSnapshot is a reading of all buckets of a SKU: first Redis, bucket by bucket, then the database, all buckets at one
// moment.
//
// It proves something when Redis is read again and no bucket has changed between: then every first reading is also true at
// the moment of the database's reading. If at that moment the database has settled every unit that transfers took, and Redis
// has every unit that the database gave back, then no unit is on its way, and the buckets have all units of the SKU
// (rule: whole-sku).
type skuSnapshot struct {
	readings []sale.Reading
	counters []sale.BucketCounters
	promised []int64 // units of each bucket that its own buyers are about to take: they must not be moved
}

// unpromised is how many units a bucket has beyond those promised.
func (s *skuSnapshot) unpromised(number int) int64 {
	return s.readings[number].Available - s.promised[number]
}

// sound reports whether a bucket sells: it is open, and Redis is in the database's epoch.
func (s *skuSnapshot) sound(number int) bool {
	return s.counters[number].State == sale.BucketOpen && s.counters[number].Epoch == s.readings[number].Epoch
}

// whole reports whether every bucket sells.
func (s *skuSnapshot) whole() bool {
	for number := range s.readings {
		if !s.sound(number) {
			return false
		}
	}
	return true
}

// moving reports whether units are on their way to a bucket: taken from another one and not settled, or given back by the
// database and not in Redis (rule: sold-out-by-books).
func (s *skuSnapshot) moving() bool {
	for number, r := range s.readings {
		if c := &s.counters[number]; r.Moved != c.MovedEpoch || r.Returned != c.GivenEpoch {
			return true
		}
	}
	return false
}

// total is the sum of the buckets' units.
func (s *skuSnapshot) total() int64 {
	var units int64
	for _, r := range s.readings {
		units += r.Available
	}
	return units
}

// still reports whether no bucket has changed between two readings (rule: sold-out-read-again). A Redis that lost writes
// between them may show one bucket empty before the loss and another one empty after it, although they never were at once.
// A bucket that lost writes may reach the same sequence again by other writes, so moved, returned and available are
// compared too.
func (s *skuSnapshot) still(again []sale.Reading) bool {
	for number, r := range s.readings {
		a := &again[number]
		if a.Epoch != r.Epoch || a.Sequence != r.Sequence || a.Moved != r.Moved || a.Returned != r.Returned ||
			a.Available != r.Available {
			return false
		}
	}
	return true
}

// fullest returns the bucket with the most unpromised units of those that sell and were not served, -1 when none has any.
func (s *skuSnapshot) fullest(served []bool) int {
	best, most := -1, int64(0)
	for number := range s.readings {
		if units := s.unpromised(number); units > most && !served[number] && s.sound(number) {
			best, most = number, units
		}
	}
	return best
}
