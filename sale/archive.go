package sale

import (
	"fmt"
	"slices"
	"strings"
)

// FinalBook is what the books of an archived sale say about one SKU, over all its buckets.
type FinalBook struct {
	SKU      string `json:"sku"`
	Loaded   int64  `json:"loaded"`
	Settled  int64  `json:"settled"`
	Released int64  `json:"released"`
	Sold     int64  `json:"sold"` // settled − released: the units that buyers have
}

// Archive is the archive of a sale.
type Archive struct {
	Sale       string
	ArchivedAt Time
	Books      []FinalBook // in the order of the sale's items
	Buckets    int         // that Redis had: 0 to Buckets-1
	Lists      int64       // number of the last list of buyers whose upload began, 0 for none
	Dropped    bool        // nothing of the sale is left in Redis, and no list of its buyers
}

// BucketNames returns the buckets of the archived sale, by number.
func (a *Archive) BucketNames() []Bucket {
	of := Sale{ID: a.Sale, Buckets: a.Buckets}
	return of.BucketNames()
}

// FinalBooks sums the counters of a sale's buckets by SKU, in the order of the sale's items.
func FinalBooks(s *Sale, counters []StockCounters) []FinalBook {
	books := make([]FinalBook, len(s.Items))
	places := make(map[string]int, len(s.Items))
	for i := range s.Items {
		books[i].SKU, places[s.Items[i].SKU] = s.Items[i].SKU, i
	}
	for i := range counters {
		for _, shelf := range counters[i].Shelves {
			at, known := places[shelf.SKU]
			if !known {
				continue // always false: a shelf is of an item, and items are never removed after the preload
			}
			b := &books[at]
			b.Loaded += shelf.Loaded
			b.Settled += shelf.Settled
			b.Released += shelf.Released
			b.Sold = b.Settled - b.Released
		}
	}
	return books
}

// NotOpen counts the buckets that are not open.
func NotOpen(counters []StockCounters) (buckets int64) {
	for i := range counters {
		if counters[i].State != BucketOpen {
			buckets++
		}
	}
	return buckets
}

// Moved counts the buckets whose counters are not those that were judged. Both lists are by bucket and SKU.
func Moved(judged, counters []StockCounters) (buckets int64) {
	for i := range counters {
		if i >= len(judged) || judged[i].BucketCounters != counters[i].BucketCounters ||
			!slices.Equal(judged[i].Shelves, counters[i].Shelves) {
			buckets++
		}
	}
	return buckets + int64(max(len(judged)-len(counters), 0))
}

// Unrest counts what keeps a closed sale from being archived. The zero value is a sale at rest.
type Unrest struct {
	Buckets      int64 // not open, or in another epoch in Redis than in the database
	SKUs         int64 // whose stock equation does not hold
	InFlight     int64 // units between the stores
	Journaled    int64 // orders in journals
	Outbox       int64 // outbox rows that Redis has not applied
	DeadLetters  int64 // of the sale, waiting
	StockChanges int64 // of which Redis has still to take units back
	Unpaid       int64 // confirmed orders, which may still give their units back
	Moved        int64 // buckets whose counters changed after they were judged
}

// Condition is one thing that keeps a sale from being archived.
type Condition struct {
	Name  string `json:"condition"`
	Count int64  `json:"count"`

	text string
}

// Conditions returns the conditions that fail, none for a sale at rest.
func (u *Unrest) Conditions() []Condition {
	var failing []Condition
	for _, c := range []Condition{
		{"buckets_not_open", u.Buckets, "buckets are not open in the epoch that Redis has: wait for their rebuild"},
		{"difference", u.SKUs, "SKUs have books that do not add up: run flashsale audit"},
		{"in_flight", u.InFlight, "units are in flight: is flashsale settle running?"},
		{"journals", u.Journaled, "orders are in journals: the relay publishes them"},
		{"outbox", u.Outbox, "outbox rows wait for Redis"},
		{"dead_letters", u.DeadLetters, "dead letters wait: replay or refuse them"},
		{"stock_changes", u.StockChanges, "stock changes wait for Redis to take units back"},
		{"unpaid_orders", u.Unpaid, "orders are confirmed and not paid: they must be paid, cancelled or expired"},
		{"books_changed", u.Moved, "buckets have changed since they were read: repeat the request"},
	} {
		if c.Count != 0 {
			failing = append(failing, c)
		}
	}
	return failing
}

// UnrestError reports that a sale is not at rest and was not archived.
type UnrestError struct{ Unrest }

// Error names every condition that fails, with its count.
func (e *UnrestError) Error() string {
	failing := e.Conditions()
	texts := make([]string, len(failing))
	for i, c := range failing {
		texts[i] = fmt.Sprintf("%d %s", c.Count, c.text)
	}
	return strings.Join(texts, "; ")
}
