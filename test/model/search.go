package protocol

import (
	"fmt"
	"math/bits"
	"time"
	"unsafe"
)

// Bounds ends a search early.
type Bounds struct {
	States int           // at most, 0 = any number
	Until  time.Duration // at most, 0 = any time
}

// Result is what a search found.
type Result struct {
	States, Steps int64
	Rests         int64 // states at rest, each checked
	Depth         int   // steps of the longest shortest way
	Whole         bool  // every state within the bounds of the setup was visited
	Cut           int64 // steps that would have gone beyond a bound of the state
	Broken        Broken
	Trace         []string // the shortest way to it
	Took          time.Duration
}

// String is one line.
func (r *Result) String() string {
	how := "whole"
	if !r.Whole {
		how = "in part"
	}
	text := fmt.Sprintf("%d states, %d steps, depth %d, %d at rest, %d cut, %s, %.1f s",
		r.States, r.Steps, r.Depth, r.Rests, r.Cut, how, r.Took.Seconds())
	if r.Broken != "" {
		text += ": BROKEN: " + string(r.Broken)
	}
	return text
}

// cameFrom is how a state was reached first: the state before and the number of the step among its steps.
type cameFrom struct {
	before uint32
	step   uint16
}

type found struct {
	state State
	index uint32
}

// search is one breadth-first search, so that the first breach found is one of the shortest.
type search struct {
	*expansion
	bounds Bounds
	began  time.Time
	seen   *set
	ways   []cameFrom
	next   []found
	result Result
	at     uint32 // where the result is broken
}

// Search visits every state that the setup can reach, level by level, and stops at the first broken promise.
func Search(s Setup, bounds Bounds) Result {
	w := &search{expansion: newExpansion(&s), bounds: bounds, began: time.Now(), seen: newSet(), ways: make([]cameFrom, 1)}
	first := s.start()
	w.seen.add(hash(&first))
	w.result.States = 1
	level := []found{{state: first}}
	for len(level) > 0 && w.goesOn() {
		for i := range level {
			w.visitAll(&level[i])
			if w.result.Broken != "" || i%256 == 0 && !w.goesOn() {
				break
			}
		}
		if w.goesOn() {
			w.result.Depth++
		}
		level, w.next = w.next, level[:0]
	}
	w.result.Whole = w.result.Broken == "" && len(level) == 0
	if w.result.Broken != "" {
		w.result.Trace = w.trace(first)
	}
	w.result.Cut, w.result.Took = w.cut, time.Since(w.began)
	return w.result
}

func (w *search) goesOn() bool {
	return w.result.Broken == "" && (w.bounds.States == 0 || w.result.States < int64(w.bounds.States)) &&
		(w.bounds.Until == 0 || time.Since(w.began) < w.bounds.Until)
}

func (w *search) visitAll(f *found) {
	step, atRest := -1, true
	w.visit = func(fair bool, t *State) {
		step++
		atRest = atRest && !fair
		w.result.Steps++
		if w.result.Broken != "" || !w.seen.add(hash(t)) {
			return
		}
		w.ways = append(w.ways, cameFrom{f.index, uint16(step)})
		index := uint32(len(w.ways) - 1)
		w.result.States++
		if w.result.Broken = w.always(t); w.result.Broken != "" {
			w.at = index
			return
		}
		w.next = append(w.next, found{*t, index})
	}
	cut := w.cut
	w.all(&f.state)
	if !atRest || w.cut != cut || w.result.Broken != "" {
		return
	}
	w.result.Rests++
	if w.result.Broken = w.atRest(&f.state); w.result.Broken != "" {
		w.at = f.index
	}
}

// trace walks the way to the breach once more, with words.
func (w *search) trace(first State) []string {
	var steps []uint16
	for at := w.at; at != 0; at = w.ways[at].before {
		steps = append(steps, w.ways[at].step)
	}
	w.tracing = true
	var words []string
	state := first
	for i := len(steps) - 1; i >= 0; i-- {
		n := -1
		var next State
		w.visit = func(_ bool, t *State) {
			if n++; n == int(steps[i]) {
				next = *t
				words = append(words, w.label)
			}
		}
		from := state
		w.all(&from)
		state = next
	}
	return words
}

// hash mixes the memory of a state. A State has only single bytes, so its memory is its value.
func hash(t *State) uint64 {
	memory := unsafe.Slice((*byte)(unsafe.Pointer(t)), unsafe.Sizeof(*t))
	h := uint64(0x9E3779B97F4A7C15)
	i := 0
	for ; i+8 <= len(memory); i += 8 {
		word := *(*uint64)(unsafe.Pointer(&memory[i]))
		high, low := bits.Mul64(h^word, 0xA0761D6478BD642F^uint64(i)*0x9E3779B97F4A7C15)
		h = high ^ low ^ word
	}
	for ; i < len(memory); i++ {
		h = (h ^ uint64(memory[i])) * 0x100000001B3
	}
	high, low := bits.Mul64(h, 0xE7037ED1A0B428DB)
	return high ^ low
}

// set holds hashes, by open addressing. Two states of one hash would be taken for one: with 10 million states that has a
// chance of about 1 in 400,000.
type set struct {
	places []uint64
	count  int
}

func newSet() *set { return &set{places: make([]uint64, 1<<14)} }

// add reports whether the hash is new.
func (s *set) add(h uint64) bool {
	if s.count*10 > len(s.places)*6 {
		s.grow()
	}
	h = max(h, 1)
	mask := uint64(len(s.places) - 1)
	at := h & mask
	for ; s.places[at] != 0; at = (at + 1) & mask {
		if s.places[at] == h {
			return false
		}
	}
	s.places[at] = h
	s.count++
	return true
}

func (s *set) grow() {
	before := s.places
	s.places, s.count = make([]uint64, 4*len(before)), 0
	for _, h := range before {
		if h != 0 {
			s.add(h)
		}
	}
}
