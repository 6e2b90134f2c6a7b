package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"flashsale/sale"
)

// tally counts the events of sales: faults, answers, reactions of the engine.
type tally map[string]int64

func (t tally) add(other tally) {
	for what, n := range other {
		t[what] += n
	}
}

// String is a line for each kind of things, the kind before the colon.
func (t tally) String() string {
	lines := map[string][]string{}
	for _, what := range slices.Sorted(maps.Keys(t)) {
		kind, name, _ := strings.Cut(what, ": ")
		lines[kind] = append(lines[kind], fmt.Sprint(t[what], " ", name))
	}
	var out strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(lines)) {
		fmt.Fprintf(&out, "%s: %s\n", kind, strings.Join(lines[kind], ", "))
	}
	return out.String()
}

// counter is the tally of a sale that runs.
type counter struct {
	mu sync.Mutex
	tally
}

func (c *counter) count(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n != 0 {
		c.tally[what] += int64(n)
	}
}

// counts returns the name under which a failed call is counted.
var counts = [fates]string{
	lostRequest: "calls that go wrong: request lost", lostReply: "calls that go wrong: answer lost",
	silence: "calls that go wrong: no answer", late: "calls that go wrong: late", slow: "calls that go wrong: slow",
}

// finish counts the results of a sale.
func (w *world) finish(c *crowd) tally {
	w.counter.count(sold, 1)
	w.counter.count("sales: with a second bucket", int(oneIf(w.shape.buckets > 1)))
	w.counter.count("sales: with a second SKU", int(oneIf(len(w.shape.wares()) > 1)))
	w.counter.count("sales: that lost writes of redis", int(oneIf(w.plan.lost > 0)))
	for _, p := range c.presses {
		if p.perhaps {
			w.counter.count("answers: none", 1)
		} else {
			w.counter.count("answers: "+strings.TrimSpace(fmt.Sprint(p.Outcome, " ", p.Scope)), 1)
		}
	}
	stored := w.database.Snapshot()
	for _, o := range stored.Orders {
		w.counter.count("operators: orders refused by hand", int(oneIf(o.Reason == sale.ReasonDeadLetter)))
		w.counter.count("orders of several lines: "+string(o.Status), int(oneIf(len(o.Lines) > 1)))
		w.counter.count("orders: "+strings.TrimSpace(fmt.Sprint(o.Status, " ", o.Reason)), 1)
	}
	for _, change := range stored.Changes {
		w.counter.count("operators: units added", int(max(change.Added, 0)))
		w.counter.count("operators: units taken back", int(max(-change.Added, 0)))
	}
	for _, row := range w.database.all {
		w.counter.count("operators: rows that raise or take, decided by rebuilds", int(oneIf(row.absorbed)))
		w.counter.count("operators: rows that raise or take, applied", int(oneIf(row.done > 0)))
	}
	return w.counter.tally
}
