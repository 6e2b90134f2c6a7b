package protocol

import (
	"fmt"
	"strings"
)

// expansion yields the states that one step leads to. A step is fair when it happens sooner or later by itself; the
// others are faults, and what people may or may not do. Where no fair step is left the system is at rest.
type expansion struct {
	*Setup
	flat    []pressed
	first   []int // number of each buyer's first press
	sold    int   // SKUs that the setup sells
	from    *State
	visit   func(fair bool, to *State)
	tracing bool
	label   string // of the step, when tracing
	cut     int64  // steps not taken because they would go beyond a bound of the state
}

func newExpansion(s *Setup) *expansion {
	x := &expansion{Setup: s}
	x.flat, x.first = s.presses()
	x.sold = s.skusSold()
	return x
}

// all visits every state that follows.
func (x *expansion) all(from *State) {
	x.from = from
	for k := range x.Buckets {
		x.calls(k)
		x.settling(k)
		x.relaying(k)
		x.rebuilding(k)
		x.doubting(k)
		x.forgetting(k)
		x.transferring(k)
		x.restocking(k)
	}
	for g := range actors {
		x.publishing(g)
		x.askingAgain(g)
	}
	x.givingBack()
	for c := range actors {
		x.applying(c)
	}
	x.verifying()
}

// followed takes, for each word, the first step whose label begins with it, and returns the last state and the labels.
func (x *expansion) followed(state State, words []string) (end State, labels []string, err error) {
	x.tracing = true
	defer func() { x.tracing = false }()
	for _, word := range words {
		taken := false
		var others []string
		next := state
		x.visit = func(_ bool, to *State) {
			others = append(others, x.label)
			if !taken && strings.HasPrefix(x.label, word) {
				taken, next = true, *to
				labels = append(labels, x.label)
			}
		}
		x.all(&state)
		if !taken {
			return state, labels, fmt.Errorf("no step %q among %q", word, others)
		}
		if b := x.always(&next); b != "" {
			return state, labels, fmt.Errorf("%s: %s", word, b)
		}
		state = next
	}
	return state, labels, nil
}

// relabelled takes steps by their numbers and returns their labels.
func (x *expansion) relabelled(state State, steps []uint16) (labels []string) {
	x.tracing = true
	defer func() { x.tracing = false }()
	for _, step := range steps {
		n := -1
		next := state
		x.visit = func(_ bool, to *State) {
			if n++; n == int(step) {
				next = *to
				labels = append(labels, x.label)
			}
		}
		x.all(&state)
		state = next
	}
	return labels
}

// to visits a state. text names the step that led there, number the process that took it, r the record concerned.
func (x *expansion) to(t *State, fair bool, text string, number int, r record) {
	if t.asker.step > 0 && x.free(t) <= 0 {
		t.asker.emptySeen = 1
	}
	if x.tracing {
		x.label = fmt.Sprintf("[%d] %s", number, text)
		if r.kind != 0 {
			x.label += ": " + x.describe(t, r)
		}
	}
	x.visit(fair, t)
}

// describe prints a record: orders with their buyers, a, b, c, and quantities.
func (x *expansion) describe(t *State, r record) string {
	text := ""
	switch r.kind {
	case kindTransfer:
		text = fmt.Sprintf("transfer of %s", unpacked(r.second))
	case kindFence:
		return fmt.Sprintf("fence of epoch %d", r.epoch)
	}
	for i, o := range r.ordersOf() {
		if i > 0 {
			text += " and "
		}
		press := x.press(t, o)
		text += fmt.Sprintf("order %d of %s for %c", o, press.lines, 'a'+rune(press.buyer))
	}
	return fmt.Sprintf("%s (epoch %d, sequence %d)", text, r.epoch, r.seq)
}

// press returns what an order's press was.
func (x *expansion) press(st *State, order uint8) *pressed { return &x.flat[st.press[order]-1] }

// spend takes one from a fault's budget and reports whether there was one.
func (t *State) spend(f Fault) bool {
	if t.left[f] == 0 {
		return false
	}
	t.left[f]--
	return true
}

// append writes a record to a bucket's partition.
func (x *expansion) append(t *State, k int, r record) bool {
	if t.written[k] == maxLog {
		x.cut++
		return false
	}
	t.log[k][t.written[k]] = r
	t.written[k]++
	return true
}

// ordersOf returns the orders of a record.
func (r *record) ordersOf() []uint8 {
	both := []uint8{r.first, r.second}
	if r.kind != kindOrders {
		return nil
	}
	if r.second == 0 {
		return both[:1]
	}
	return both
}
