package loadtest

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// schedule returns presses in the order in which they are due: new arrivals at a constant rate, repeats by apps and
// retries of earlier presses. It never waits for an answer, so the generator is open-loop.
type schedule struct {
	opts     *RushOptions
	start    time.Time
	interval float64 // nanoseconds between arrivals

	mu      sync.Mutex
	changed sync.Cond // a retry was added, or no further press will follow
	random  *rand.Rand
	emitted int // arrivals returned
	fresh   int // buyers who have pressed
	recent  []press
	retries retryHeap
	open    int // presses returned and not finished
	stopped bool
}

// recentPresses bounds how many presses back a repeat reaches: buyers press again within moments, not after the sale.
const recentPresses = 1024

func newSchedule(opts *RushOptions, start time.Time) *schedule {
	s := &schedule{
		opts: opts, start: start, interval: float64(time.Second) / opts.Rate,
		random: rand.New(rand.NewPCG(opts.Seed, opts.Seed^seedStream)),
	}
	s.changed.L = &s.mu
	return s
}

// seedStream separates the generator's two seed words.
const seedStream = 0x9e3779b97f4a7c15

// next returns the press that is due first. It blocks while there is none but a retry may still be added. ok is false
// when the rush is over. The caller passes every press to retry or finish.
func (s *schedule) next() (p press, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		arrival := s.start.Add(time.Duration(float64(s.emitted) * s.interval))
		more := s.fresh < len(s.opts.Crowd) && !s.stopped
		switch {
		case len(s.retries) > 0 && (!more || s.retries[0].due.Before(arrival)):
			p = heap.Pop(&s.retries).(press)
		case more:
			p = s.arrive(arrival)
		case s.open == 0:
			return press{}, false
		default:
			s.changed.Wait()
			continue
		}
		s.open++
		return p, true
	}
}

// arrive makes the next arrival: a new buyer, or for the share of repeats a buyer who pressed a moment ago.
func (s *schedule) arrive(at time.Time) press {
	var p press
	if s.fresh > 0 && s.random.Float64() < s.opts.Repeat {
		p = s.pressAgain(s.recent[s.random.IntN(len(s.recent))])
	} else {
		p = s.pressFirst()
	}
	p.attempt, p.first, p.due = 1, at, at
	s.emitted++
	return p
}

func (s *schedule) pressFirst() press {
	p := press{
		number: s.emitted, member: s.fresh, server: s.fresh % len(s.opts.Servers),
		lines: s.pickLines(), key: keyOf(s.opts.Nonce, s.emitted),
	}
	if len(s.recent) < recentPresses {
		s.recent = append(s.recent, p)
	} else {
		s.recent[s.fresh%recentPresses] = p
	}
	s.fresh++
	return p
}

// pickLines returns what a press asks for: one SKU, or in a rush of baskets 1 to MaxLines distinct ones.
func (s *schedule) pickLines() []Asked {
	lines := make([]Asked, 1, max(1, s.opts.MaxLines))
	if s.opts.MaxLines > 0 {
		lines = lines[:1+s.random.IntN(s.opts.MaxLines)]
	}
	for i := range lines {
		sku := s.opts.SKUs[s.random.IntN(len(s.opts.SKUs))]
		for slices.ContainsFunc(lines[:i], func(a Asked) bool { return a.SKU == sku }) {
			sku = s.opts.SKUs[s.random.IntN(len(s.opts.SKUs))]
		}
		lines[i] = Asked{sku, 1 + s.random.IntN(s.opts.MaxQuantity)}
	}
	return lines
}

func (s *schedule) pressAgain(p press) press {
	p.number = s.emitted
	switch repeatKind(s.random.IntN(int(repeatKinds))) {
	case repeatSameKey:
		p.server = (p.server + 1) % len(s.opts.Servers)
	case repeatKeyless:
		p.key = ""
	case repeatNewKey:
		p.key = keyOf(s.opts.Nonce, s.emitted)
	}
	return p
}

// retry schedules a press again at due, at the next gateway.
func (s *schedule) retry(p press, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if !s.stopped {
		p.attempt++
		p.due = due
		p.server = (p.server + 1) % len(s.opts.Servers)
		heap.Push(&s.retries, p)
	}
	s.changed.Broadcast()
}

// finish removes a press from the open ones.
func (s *schedule) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open--; s.open == 0 {
		s.changed.Broadcast()
	}
}

// stop ends the arrivals; the presses in flight end by themselves.
func (s *schedule) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped, s.retries = true, nil
	s.changed.Broadcast()
}

// retryHeap orders presses by the moment they are due.
type retryHeap []press

func (h retryHeap) Len() int           { return len(h) }
func (h retryHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h retryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *retryHeap) Push(x any)        { *h = append(*h, x.(press)) }
func (h *retryHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
