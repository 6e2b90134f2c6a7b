package replica

import (
	"slices"
	"sync"
	"time"

	"flashsale/sale"
)

// mostRecent bounds the orders of a period. Beyond it the primary answers everything until the period is over.
const mostRecent = 200_000

// version tells whether one reading of an order is as new as another.
type version struct {
	updated time.Time // zero: no reading is known to be new enough
	status  sale.OrderStatus
	asked   time.Time // before the primary was asked for it
}

// overtaken reports whether the primary has shown a later version before this one arrived: answers do not arrive in the order
// of the questions.
func (v version) overtaken(by version) bool {
	switch {
	case v.updated.IsZero():
		return false
	case by.updated.IsZero() || v.updated.Equal(by.updated):
		return v.asked.Before(by.asked)
	}
	return v.updated.Before(by.updated)
}

// recent remembers for a time which version of an order the primary has shown, in two generations: what is older than one
// lasting is forgotten before two are over.
type recent struct {
	lasting time.Duration

	mu        sync.Mutex
	began     time.Time // of the present generation
	now, past generation
}

type generation struct {
	orders map[sale.OrderID]version
	buyers map[string][]sale.OrderID
	full   bool
}

func newGeneration() generation {
	return generation{orders: map[sale.OrderID]version{}, buyers: map[string][]sale.OrderID{}}
}

func newRecent(lasting time.Duration) *recent {
	return &recent{lasting: lasting, began: time.Now(), now: newGeneration(), past: newGeneration()}
}

// turn begins a new generation when the present one has lasted, and reports whether too much is remembered to compare; the
// caller has locked.
func (r *recent) turn() (full bool) {
	switch age := time.Since(r.began); {
	case age < r.lasting:
		return r.now.full || r.past.full
	case age < 2*r.lasting:
		r.past = r.now
	default:
		r.past = newGeneration()
	}
	r.now, r.began = newGeneration(), time.Now()
	return r.past.full
}

// shown notes what the primary has shown to a question that was asked at a moment.
func (r *recent) shown(o *sale.Order, asked time.Time) {
	r.note(o.OrderID, o.BuyerID, version{o.UpdatedAt.Time, o.Status, asked})
}

// changed notes an order that was changed at the primary, with an unknown result.
func (r *recent) changed(id sale.OrderID, buyer string) {
	r.note(id, buyer, version{asked: time.Now()})
}

func (r *recent) note(id sale.OrderID, buyer string, v version) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn()
	if seen, known := r.last(id); known && v.overtaken(seen) {
		return
	}
	if len(r.now.orders) >= mostRecent {
		r.now.full = true
		return
	}
	if _, known := r.now.orders[id]; !known {
		r.now.buyers[buyer] = append(r.now.buyers[buyer], id)
	}
	r.now.orders[id] = v
}

// last returns the version of an order that was noted last; the caller has locked.
func (r *recent) last(id sale.OrderID) (seen version, known bool) {
	if seen, known = r.now.orders[id]; !known {
		seen, known = r.past.orders[id]
	}
	return seen, known
}

// full reports whether too much is remembered to compare.
func (r *recent) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.turn()
}

// fresh returns those of the replica's orders that are as new as what the primary has shown; none where too much was shown.
func (r *recent) fresh(found []sale.Order) []sale.Order {
	r.mu.Lock()
	defer r.mu.Unlock()
	if full := r.turn(); full {
		return nil
	}
	return slices.DeleteFunc(found, func(o sale.Order) bool { return r.old(&o) })
}

// old reports whether the primary has shown a later version of an order; the caller has locked.
func (r *recent) old(o *sale.Order) bool {
	seen, known := r.last(o.OrderID)
	switch {
	case !known || o.UpdatedAt.After(seen.updated) && !seen.updated.IsZero():
		return false
	case seen.updated.IsZero():
		return true
	}
	return !o.UpdatedAt.Equal(seen.updated) || o.Status != seen.status
}

// complete reports whether the replica's orders of a buyer are as new as what the primary has shown, and lack none of it.
func (r *recent) complete(buyer string, found []sale.Order) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if full := r.turn(); full {
		return false
	}
	for i := range found {
		if r.old(&found[i]) {
			return false
		}
	}
	for _, id := range slices.Concat(r.now.buyers[buyer], r.past.buyers[buyer]) {
		if !slices.ContainsFunc(found, func(o sale.Order) bool { return o.OrderID == id }) {
			return false // also an order that this list leaves out: the primary then answers
		}
	}
	return true
}
