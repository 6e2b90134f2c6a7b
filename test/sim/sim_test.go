package sim

import (
	"flag"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"flashsale/test/check"
	"flashsale/test/harness"
)

var (
	firstSeed = flag.Uint64("sim.seed", 1, "seed of the first sale")
	sales     = flag.Int("sim.n", usual(), "number of sales")
	ordered   = flag.Uint64("sim.ordered", 8, "put the history of every n-th sale in order, 0 = of none")
	telling   = flag.Bool("sim.trace", false, "print what happened")
)

// usual is how many sales run by default: with the race detector each takes twenty times as long.
func usual() int {
	if harness.Race {
		return 100
	}
	return 20_000
}

// run is a whole sale, from its first press to its last order.
func run(t *testing.T, seed uint64) (w *world, c *crowd) {
	synctest.Test(t, func(*testing.T) {
		time.Sleep(birth)
		w = newWorld(seed)
		c = &crowd{world: w}
		w.begin()
		c.startRestocks()
		c.startFreezes()
		c.begin()
		w.heal()
		w.changes.Wait()
		j := newJudge(w, c)
		ok := j.rest()
		for round := 0; ok && round < rounds; round++ {
			c.demand(round, check.Totals(j.read()))
			if ok = j.rest(); !ok || j.empty() {
				break
			}
		}
		if ok {
			j.verdict()
		}
		w.end()
	})
	return w, c
}

// birth is the beginning of simulated time: after the epoch of order ids. The bubble's own clock begins in 2000.
const birth = 27 * 365 * 24 * time.Hour

// rounds of demand: unpaid units return and need another round.
const rounds = 12

func (w *world) begin() {
	for i := range w.shape.gateways {
		w.startFront(fmt.Sprint("gateway", i))
	}
	for i := range w.shape.settlers {
		w.startSettler(fmt.Sprint("settle", i))
	}
}

// end ends every goroutine of the sale.
func (w *world) end() {
	w.ended.Store(true)
	for _, p := range w.processes() {
		p.crash()
	}
	w.work.Wait()
	time.Sleep(time.Minute) // messages under way arrive and have no effect
}

func (j *judge) empty() bool {
	buckets := j.read()
	for _, stock := range check.Totals(buckets) {
		if stock.Available > 0 {
			return false
		}
	}
	return buckets != nil
}

func (w *world) log(p *process) *slog.Logger {
	if !*telling {
		return silent()
	}
	return slog.New(slog.NewTextHandler(traceWriter{w, p.name}, nil))
}

type traceWriter struct {
	world *world
	name  string
}

func (t traceWriter) Write(text []byte) (int, error) {
	t.world.trace.add(t.name, string(text))
	return len(text), nil
}

// sell runs the sales of some seeds and returns what happened in them. It stops at the first violation.
func sell(t *testing.T, first, step uint64, n int) tally {
	all := tally{}
	for i := range uint64(n) {
		seed := first + i*step
		w, c := run(t, seed)
		if *ordered > 0 && seed%*ordered == 0 {
			w.inOrder(c)
		}
		all.add(w.finish(c))
		for _, fault := range w.watch.found() {
			t.Errorf("seed %d: %s", seed, fault)
		}
		if *telling || t.Failed() {
			fmt.Printf("%+v\nfaults: %q\n%s", w.shape, w.plan.struck, w.trace)
			fmt.Printf("again: go test ./test/sim -run TestSales -sim.n=1 -sim.seed=%d -sim.trace\n", seed)
		}
		if t.Failed() {
			break
		}
	}
	return all
}
