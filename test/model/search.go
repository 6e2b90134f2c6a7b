package protocol

import (
	"fmt"
	"slices"
	"time"
)

// Bounds ends a search early.
type Bounds struct {
	States int           // at most, 0 = any number
	Until  time.Duration // at most, 0 = any time
	Heals  bool          // also check that from every state the way to rest is open; for searches that end
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
	rests  []uint32
	fair   []edge // kept when the way to rest is to be checked
}

// Search visits every state that the setup can reach, level by level, and stops at the first broken promise.
func Search(s Setup, bounds Bounds) Result {
	w := &search{expansion: newExpansion(&s), bounds: bounds, began: time.Now(), seen: newSet(), ways: make([]cameFrom, 1)}
	first, labels, err := w.followed(s.start(), s.After)
	if err != nil {
		w.result.Broken = Broken("what the setup begins after cannot happen: " + err.Error())
		return w.result
	}
	w.seen.add(hash(&first), 0)
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
	if w.result.Whole && bounds.Heals {
		w.heals()
	}
	if w.result.Broken != "" {
		w.result.Trace = append(labels, w.trace(first)...)
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
		if w.result.Broken != "" {
			return
		}
		index, fresh := w.seen.add(hash(t), uint32(len(w.ways)))
		if fair && w.bounds.Heals {
			w.fair = append(w.fair, edge{f.index, index})
		}
		if !fresh {
			return
		}
		w.ways = append(w.ways, cameFrom{f.index, uint16(step)})
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
	w.rests = append(w.rests, f.index)
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
	slices.Reverse(steps)
	return w.relabelled(first, steps)
}
