package protocol

import "slices"

// edge is a fair step from one state to another.
type edge struct{ from, to uint32 }

// heals checks that fair steps lead from every state to one at rest, where every bucket sells: the system recovers from any
// state without chance or help. It walks backwards from the states at rest; a state that it does not reach cannot recover.
func (w *search) heals() {
	begins := make([]uint32, len(w.ways)+1)
	for _, e := range w.fair {
		begins[e.to+1]++
	}
	for i := range len(w.ways) {
		begins[i+1] += begins[i]
	}
	before := make([]uint32, len(w.fair))
	filled := make([]uint32, len(w.ways))
	for _, e := range w.fair {
		before[begins[e.to]+filled[e.to]] = e.from
		filled[e.to]++
	}
	met := make([]bool, len(w.ways))
	front := slices.Clone(w.rests)
	for _, at := range front {
		met[at] = true
	}
	for len(front) > 0 {
		at := front[len(front)-1]
		front = front[:len(front)-1]
		for _, from := range before[begins[at]:begins[at+1]] {
			if !met[from] {
				met[from] = true
				front = append(front, from)
			}
		}
	}
	for at := range met {
		if !met[at] {
			w.result.Broken, w.at = "never at rest: no way leads to a bucket that sells", uint32(at)
			return
		}
	}
}
