package sale

// Stock counts the units of a SKU by where they are. Settled and Released only grow.
type Stock struct {
	Loaded    int64 `json:"loaded"`
	Available int64 `json:"available"` // in Redis, for sale
	InFlight  int64 `json:"in_flight"` // taken in Redis, not settled: a counter of its own, never the rest of the others
	Settled   int64 `json:"settled"`   // units of all order rows ever written
	Released  int64 `json:"released"`  // units that settled orders gave back
}

// Difference returns the stock equation: loaded − (available + in flight + settled − released). It is 0 when the books
// balance, positive when units are missing, negative when there are too many. Every checker of the engine calls it.
func (s Stock) Difference() int64 {
	return s.Loaded - (s.Available + s.InFlight + s.Settled - s.Released)
}

// Holds reports whether Difference is 0, no counter is negative, and the units sold are at most those loaded.
func (s Stock) Holds() bool {
	return s.Difference() == 0 && s.Available >= 0 && s.InFlight >= 0 && s.Settled >= 0 && s.Released >= 0 &&
		s.Settled-s.Released <= s.Loaded
}

// Add returns the sum of two stocks, such as those of two buckets of one SKU.
func (s Stock) Add(o Stock) Stock {
	return Stock{
		Loaded:    s.Loaded + o.Loaded,
		Available: s.Available + o.Available,
		InFlight:  s.InFlight + o.InFlight,
		Settled:   s.Settled + o.Settled,
		Released:  s.Released + o.Released,
	}
}
