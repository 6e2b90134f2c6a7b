package sale

// Stock is where every unit of a SKU can be. Settled and Released only grow.
type Stock struct {
	Loaded    int64 `json:"loaded"`
	Available int64 `json:"available"` // in Redis, for sale
	InFlight  int64 `json:"in_flight"` // taken in Redis, not settled: counted by its own counter, never computed as a rest
	Settled   int64 `json:"settled"`   // units of order rows ever written
	Released  int64 `json:"released"`  // units given back from settled orders
}

// Difference is the stock equation: loaded − (available + in flight + settled − released). It is 0 when every unit is
// where the books say, positive when units are missing, negative when there are too many. Every checker of the project
// calls this function.
func (s Stock) Difference() int64 {
	return s.Loaded - (s.Available + s.InFlight + s.Settled - s.Released)
}

// Holds reports whether the books balance and no counter is impossible.
func (s Stock) Holds() bool {
	return s.Difference() == 0 && s.Available >= 0 && s.InFlight >= 0 && s.Settled >= 0 && s.Released >= 0 &&
		s.Settled-s.Released <= s.Loaded
}

// Add returns the sum of two readings, as of two buckets of one SKU.
func (s Stock) Add(o Stock) Stock {
	return Stock{
		Loaded:    s.Loaded + o.Loaded,
		Available: s.Available + o.Available,
		InFlight:  s.InFlight + o.InFlight,
		Settled:   s.Settled + o.Settled,
		Released:  s.Released + o.Released,
	}
}
