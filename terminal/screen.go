package terminal

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"flashsale/sale"
)

// screen is the state of the live screen: the list of sales, or one sale.
type screen struct {
	style  style
	width  int // columns; 0: no bound
	height int // lines; 0: no bound

	id      string // of the sale that is shown; empty: the list
	query   Query  // of its SKUs
	sales   *LiveSales
	live    *Live
	trail   []sale.TrailEntry // about the sale, the oldest first
	read    time.Time         // when the numbers came, by this machine's clock
	fault   string            // what failed last
	failed  time.Time         // when; a reading that fails again says so again, so an old problem is over
	serious bool              // the fault is that the stream ended, and none has begun since

	chosen   int    // row of the SKUs, counted from the first one that the search finds
	chosenID string // of the list
	search   string // of the list
	by       int    // order of the list
	typing   bool   // the search is being typed
	typed    string
}

// trailLines is how many entries of the trail the screen keeps.
const trailLines = 5

// rowsAsked is how many SKUs a stream brings: a screen scrolls within them, and asks for others beyond.
const rowsAsked = 200

// apply takes an event.
func (s *screen) apply(event any, at time.Time) {
	switch e := event.(type) {
	case LiveSales:
		s.sales = &e
		s.heard(at)
	case Live:
		s.live = &e
		s.heard(at)
		s.chosen = max(0, min(s.chosen, e.Items.Matched-1))
	case sale.TrailEntry:
		again := func(known sale.TrailEntry) bool { return known.ID == e.ID } // a new stream begins with the last entries
		if !slices.ContainsFunc(s.trail, again) {
			s.trail = append(s.trail, e)
			s.trail = s.trail[max(0, len(s.trail)-trailLines):]
		}
	case problem:
		s.fault, s.failed = cmp.Or(e.Detail, e.Title), at
	case lost:
		s.fault, s.failed, s.serious = "the stream ended", at, true
		if e.err != nil {
			s.fault = e.err.Error()
		}
	}
}

// heard notes that numbers came at a time.
func (s *screen) heard(at time.Time) {
	s.read = at
	if s.serious {
		s.fault, s.serious = "", false
	}
}

// problemLasts is how long the fault of one reading is shown: a stream repeats it with every reading that fails.
const problemLasts = 3 * time.Second

// failing returns the fault that is present at a time, empty when there is none.
func (s *screen) failing(now time.Time) string {
	if s.serious || now.Sub(s.failed) < problemLasts {
		return s.fault
	}
	return ""
}

// show begins to show a sale, or the list when id is empty.
func (s *screen) show(id string) {
	s.id, s.live, s.trail, s.chosen, s.read, s.fault, s.serious = id, nil, nil, 0, time.Time{}, "", false
	s.query = Query{Sort: Sorts()[0], Limit: rowsAsked}
	if id != "" {
		s.chosenID = id
	}
}

// orders are the orders of the list.
var orders = []struct {
	name string
	less func(a, b *Summary) int
}{
	{"sale", func(a, b *Summary) int { return cmp.Compare(a.ID, b.ID) }},
	{"presses", func(a, b *Summary) int { return compare(b.PressesPerS, a.PressesPerS) }},
	{"sold", func(a, b *Summary) int { return cmp.Compare(b.Sold, a.Sold) }},
}

// compare puts an unknown number below every other.
func compare(a, b Number) int {
	if a == nil || b == nil {
		return cmp.Compare(len(whole(a)), len(whole(b)))
	}
	return cmp.Compare(*a, *b)
}

// listed returns the sales that the search finds, in their order.
func (s *screen) listed() (found []*Summary) {
	if s.sales == nil {
		return nil
	}
	wanted := strings.ToLower(s.search)
	for i := range s.sales.Sales {
		one := &s.sales.Sales[i]
		if strings.Contains(strings.ToLower(one.ID+"\n"+one.Name), wanted) {
			found = append(found, one)
		}
	}
	slices.SortStableFunc(found, orders[s.by].less)
	return found
}

// listPlace returns the row of the chosen sale, the first one when it is not listed.
func listPlace(found []*Summary, id string) int {
	return max(0, slices.IndexFunc(found, func(one *Summary) bool { return one.ID == id }))
}
