package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"flashsale/sale"
	"flashsale/test/chaos/check"
	"flashsale/test/chaos/history"
)

// Times of a round.
const (
	roundFaults = 17
	roundMost   = 75 * time.Second // no more faults are begun then
	restWithin  = "90s"
	tellWithin  = 60 * time.Second // for events and units on their way back
)

// outcome is what became of one round.
type outcome struct {
	number int
	seed   uint64
	ops    int
	codes  map[string]int // how presses ended
	result check.Result
	linear check.Linear
	took   time.Duration
}

func (o *outcome) faults() []check.Fault {
	return append(append([]check.Fault{}, o.result.Faults...), o.linear.Faults...)
}

// play plays one round with so many faults.
func (w *world) play(n *nemesis, number, strikes int, seed uint64) *outcome {
	begun := time.Now()
	o := &outcome{number: number, seed: seed}
	sales := salesOf(number, begun, roundMost*3/5)
	path := filepath.Join(w.dir, fmt.Sprintf("history-%d", number))
	recorder, err := history.NewRecorder(path)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range sales {
		w.open(s)
	}
	seen := &witness{books: w.books, epochs: map[check.EpochSeen]int64{}, peaks: map[[2]string]int64{}}
	c := &crowd{w: w, out: recorder, sales: sales}
	ctx, cancel := context.WithCancel(context.Background())
	var everybody sync.WaitGroup
	everybody.Go(func() { c.run(ctx, seed) })
	everybody.Go(func() { seen.run(ctx) })
	done := len(n.log)
	for time.Since(begun) < roundMost && len(n.log)-done < strikes {
		n.wait(n.between(0, longestGap))
		n.strike(number)
	}
	w.healed()
	n.wait(time.Second)
	var unrest []check.Fault
	unrest = append(unrest, w.rest(sales)...) // with the crowd still there: the sale goes on by itself
	cancel()
	everybody.Wait()
	unrest = append(unrest, w.finish(c, seed)...)
	seen.look(context.Background())
	if err := recorder.Close(); err != nil {
		w.t.Fatal(err)
	}
	evidence, err := w.gather(sales, recorder.Ops(), seen)
	if err != nil {
		w.t.Fatal(err)
	}
	evidence.Outages, evidence.Losses = n.spans(number)
	o.result = check.Judge(evidence)
	o.result.Faults = append(unrest, o.result.Faults...)
	o.linear = check.Linearizable(evidence)
	o.ops, o.codes, o.took = len(evidence.Ops), check.Codes(evidence.Ops), time.Since(begun)
	for _, s := range sales {
		w.must("POST", "sales/"+s.id+"/close", nil)
	}
	w.keep(o, path)
	return o
}

// keep saves the history of a round that has violations where the next run does not remove it.
func (w *world) keep(o *outcome, path string) {
	if len(o.faults()) == 0 {
		return
	}
	dir, err := os.MkdirTemp("", "flashsale-chaos-")
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o644)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("the history of round %d is kept in %s", o.number, dir)
}

// rest waits until a sale's processes agree that it can be sold from again.
func (w *world) rest(sales []*saleUnderTest) []check.Fault {
	deadline := time.Now().Add(time.Minute)
	for {
		closed := 0
		err := w.books.QueryRow("SELECT COUNT(*) FROM stock WHERE state <> 'open' AND sale_id IN (?, ?)", sales[0].id, sales[1].id).Scan(&closed)
		if err == nil && closed == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return []check.Fault{{Check: "comes to rest", Text: fmt.Sprintf("%d buckets are not open a minute after everything was healed (%v)", closed, err)}}
		}
		<-time.After(100 * time.Millisecond)
	}
}

// finish brings the sales to their end: everything settles, the first is asked for until nothing is left, the unpaid
// orders of the second expire, and everything that was decided reaches Redis and the shop.
func (w *world) finish(c *crowd, seed uint64) []check.Fault {
	random := rand.New(rand.NewPCG(seed, 1<<32))
	with := newClient()
	defer with.CloseIdleConnections()
	c.resume(with, random)
	faults := w.audit(c.sales)
	faults = append(faults, w.told()...)
	for _, s := range c.sales {
		if s.demand {
			c.askForAll(with, s, random)
		}
	}
	faults = append(faults, w.expired(c.sales)...)
	faults = append(faults, w.told()...)
	return append(faults, w.audit(c.sales)...)
}

// audit runs our own audit until the books are at rest.
func (w *world) audit(sales []*saleUnderTest) (faults []check.Fault) {
	for _, s := range sales {
		if result := w.command("audit", s.id, "--wait", restWithin); result.Code != 0 {
			faults = append(faults, check.Fault{Check: "comes to rest", Text: fmt.Sprintf("audit %s ended with %d: %s%s", s.id,
				result.Code, result.Stdout, result.Stderr)})
		}
	}
	return faults
}

// told waits until no unit is on its way back and no event is still to be told.
func (w *world) told() []check.Fault {
	deadline := time.Now().Add(tellWithin)
	for {
		var outbox, events int
		err := w.books.QueryRow("SELECT (SELECT COUNT(*) FROM outbox), (SELECT COUNT(*) FROM events)").Scan(&outbox, &events)
		if err == nil && outbox+events == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return []check.Fault{{Check: "comes to rest", Text: fmt.Sprintf("after %s %d outbox rows and %d events wait (%v)", tellWithin, outbox, events, err)}}
		}
		<-time.After(50 * time.Millisecond)
	}
}

// expired waits until no order is due any more.
func (w *world) expired(sales []*saleUnderTest) []check.Fault {
	for _, s := range sales {
		if s.ttlS != shortTTL {
			continue
		}
		deadline := time.Now().Add(shortTTL*time.Second + tellWithin)
		for due := 1; due > 0; <-time.After(100 * time.Millisecond) {
			if err := w.books.QueryRow("SELECT COUNT(*) FROM orders WHERE sale_id = ? AND status = 'confirmed'", s.id).Scan(&due); err != nil {
				due = 1
			}
			if time.Now().After(deadline) {
				return []check.Fault{{Check: "comes to rest", Text: fmt.Sprintf("%d unpaid orders of %s do not expire", due, s.id)}}
			}
		}
	}
	return nil
}

// enough refusals in a row, by buyers of every bucket, say that nothing is left.
const (
	enoughRefusals = 40
	demandWithin   = 2 * time.Minute
)

// askForAll lets fresh buyers press until nothing is left of any SKU.
func (c *crowd) askForAll(with *client, s *saleUnderTest, random *rand.Rand) {
	deadline := time.Now().Add(demandWithin)
	for _, i := range s.items {
		refused := 0
		for buyer := 0; refused < enoughRefusals && time.Now().Before(deadline); buyer++ {
			q := history.Question{Verb: history.Buy, Sale: s.id, SKU: i.SKU, Quantity: 1, Gateway: random.IntN(gatewayCount),
				Buyer: fmt.Sprintf("%s-late-%d", s.id, buyer)}
			q.Key = fmt.Sprintf("late %s %d", i.SKU, buyer)
			switch op := c.ask(with, q); {
			case op.Code == sale.OutcomeSoldOut.String():
				refused++
				<-time.After(30 * time.Millisecond) // so that the refusals span more than one look of the gateways
			case op.End == history.OK:
				refused = 0
			default:
				<-time.After(20 * time.Millisecond)
			}
		}
	}
}
