package protocol

import (
	"math/rand/v2"
	"time"
)

// Walks are random ways through a setup that no search ends, one after the other from a seed.
type Walks struct {
	Seed  uint64
	Count int           // at most, 0 = any number
	Until time.Duration // at most, 0 = any time
}

// Bounds of a walk: the steps in which any fault may happen, and the fair steps after them to reach rest.
const (
	wildSteps = 150
	restSteps = 2000
	fairShare = 4 // a fair step is chosen so much more often than another
)

// walker takes one walk after the other.
type walker struct {
	*expansion
	chance *rand.Rand
	result Result
	steps  []uint16 // of this walk, by their numbers
}

// Walk takes random walks and stops at the first broken promise. Its result's States are those passed, seen before or not;
// Rests counts the walks that reached rest.
func Walk(s Setup, walks Walks) Result {
	w := &walker{expansion: newExpansion(&s), chance: rand.New(rand.NewPCG(walks.Seed, 0))}
	began := time.Now()
	first, labels, err := w.followed(s.start(), s.After)
	if err != nil {
		return Result{Broken: Broken("what the setup begins after cannot happen: " + err.Error())}
	}
	for n := 0; w.result.Broken == "" && (walks.Count == 0 || n < walks.Count); n++ {
		if walks.Until > 0 && n%64 == 0 && time.Since(began) > walks.Until {
			break
		}
		w.walk(first)
	}
	if w.result.Broken != "" {
		w.result.Trace = append(labels, w.relabelled(first, w.steps)...)
	}
	w.result.Cut, w.result.Took = w.cut, time.Since(began)
	return w.result
}

// walk takes one walk, to a state at rest. A walk that ends at a bound of the state proves nothing about rest.
func (w *walker) walk(state State) {
	w.steps = w.steps[:0]
	before := w.cut
	for len(w.steps) < wildSteps+restSteps {
		cut := w.cut
		next, step, rests := w.choose(&state, len(w.steps) < wildSteps)
		if rests && w.cut == cut {
			if w.result.Broken = w.atRest(&state); w.result.Broken != "" {
				return
			}
		}
		if step < 0 {
			if w.cut == cut {
				w.result.Rests++
			}
			return
		}
		w.steps = append(w.steps, uint16(step))
		w.result.States++
		w.result.Depth = max(w.result.Depth, len(w.steps))
		if w.result.Broken = w.always(&next); w.result.Broken != "" {
			return
		}
		state = next
	}
	if w.cut == before {
		w.result.Broken = "never at rest: a walk of fair steps does not end"
	}
}

// choose takes one of the steps from a state, only a fair one unless it is wild; step is -1 when there is none. rests is
// true when there is no fair step.
func (w *walker) choose(from *State, wild bool) (next State, step int, rests bool) {
	step, rests = -1, true
	n, weight := -1, 0
	w.visit = func(fair bool, to *State) {
		n++
		w.result.Steps++
		rests = rests && !fair
		share := 1
		if fair {
			share = fairShare
		} else if !wild {
			return
		}
		if weight += share; w.chance.IntN(weight) < share {
			next, step = *to, n
		}
	}
	w.all(from)
	return next, step, rests
}
