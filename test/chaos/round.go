package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"flashsale/test/buyers"
	"flashsale/test/buyers/history"
	"flashsale/test/check"
)

// Times of a round.
const (
	rageFor    = 50 * time.Second // no more faults are begun then
	restWithin = "180s"
	tellWithin = 2 * time.Minute // for events and units on their way back
)

// outcome is the result of one round.
type outcome struct {
	number int
	ops    int
	codes  map[string]int  // how presses ended
	closed []time.Duration // how long buckets were not for sale
	result check.Result
	linear check.Linear
	struck []struck
	took   time.Duration
}

func (o *outcome) faults() []check.Fault {
	return append(append([]check.Fault{}, o.result.Faults...), o.linear.Faults...)
}

// play plays one round.
func (w *world) play(n *nemesis, number int, seed uint64) *outcome {
	begun := time.Now()
	o := &outcome{number: number}
	sales := salesOf(number, begun, rageFor)
	path := filepath.Join(w.dir, fmt.Sprintf("history-%d", number))
	recorder, err := history.NewRecorder(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.from, w.sales = w.mustEnds(), sales
	for _, s := range sales {
		w.open(s)
	}
	seen := newWitness(w.db, sales)
	c := w.crowdOf(sales, recorder)
	ctx, cancel := context.WithCancel(context.Background())
	var everybody sync.WaitGroup
	everybody.Go(func() { c.Mingle(ctx, seed) })
	everybody.Go(func() { seen.run(ctx) })
	office := newClerk(w, seed)
	everybody.Go(func() { office.run(ctx) })
	n.rage(number, seed, begun.Add(rageFor))
	w.healed()
	unrest := w.reopened(tellWithin) // while the crowd still runs: the sale continues by itself
	unrest = append(unrest, n.stand(c, &hand{nemesis: n, random: rand.New(rand.NewPCG(seed, uint64(len(lanes))))}, number)...)
	cancel()
	everybody.Wait()
	unrest = append(append(unrest, office.faults...), w.finish(c, seed)...)
	seen.look(context.Background())
	if err := recorder.Close(); err != nil {
		w.t.Fatal(err)
	}
	evidence, err := w.collect(sales, recorder.Ops(), seen)
	if err != nil {
		w.t.Fatal(err)
	}
	o.struck = n.of(number)
	evidence.Outages, evidence.Losses = spans(o.struck, evidence.Epochs)
	soldAgain(o.struck, evidence.Ops)
	o.result = check.Judge(evidence)
	o.result.Faults = append(unrest, o.result.Faults...)
	o.linear = check.Linearizable(evidence)
	o.ops, o.codes, o.closed, o.took = len(evidence.Ops), check.Codes(evidence.Ops), seen.closed, time.Since(begun)
	for _, s := range sales {
		w.must("POST", "sales/"+s.id+"/close", nil)
		if s.ttlS == shortTTL { // all its orders are paid, given back or refused
			w.ended = append(w.ended, s.id)
		}
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

// reopened waits until every bucket of the present sales can be sold from again.
func (w *world) reopened(within time.Duration) []check.Fault {
	return w.until("buckets are not open again", within,
		"SELECT COUNT(*) FROM buckets WHERE state <> 'open' AND sale_id IN (?, ?)", w.sales[0].id, w.sales[1].id)
}

// until waits until a count of the database is 0.
func (w *world) until(otherwise string, within time.Duration, query string, args ...any) []check.Fault {
	deadline := time.Now().Add(within)
	for {
		var left int
		err := w.db.QueryRow(query, args...).Scan(&left)
		if err == nil && left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return []check.Fault{{Check: "comes to rest", Text: fmt.Sprintf("%v: %d %s (%v)", args, left, otherwise, err)}}
		}
		<-time.After(50 * time.Millisecond)
	}
}

// finish brings the sales to their end: everything settles, the first is asked for until nothing is left, the unpaid
// orders of the second expire, and everything that was decided reaches Redis and the shop.
func (w *world) finish(c *buyers.Crowd, seed uint64) (faults []check.Fault) {
	const onTheirWayBack = "batches of units are on their way back to Redis"
	random := rand.New(rand.NewPCG(seed, 1<<32))
	with := c.NewClient()
	defer with.Close()
	c.Resume(with, random)
	for _, s := range w.sales {
		if s.demand {
			faults = append(faults, w.audit(s)...)
			faults = append(faults, w.until(onTheirWayBack, tellWithin, "SELECT COUNT(*) FROM outbox WHERE sale_id = ?", s.id)...)
			c.Demand(s.target(), seed)
		}
		if s.ttlS == shortTTL {
			faults = append(faults, w.until("unpaid orders do not expire", shortTTL*time.Second+tellWithin,
				"SELECT COUNT(*) FROM orders WHERE sale_id = ? AND status = 'confirmed'", s.id)...)
		}
	}
	faults = append(faults, w.until(onTheirWayBack, tellWithin, "SELECT COUNT(*) FROM outbox")...)
	faults = append(faults, w.until("events are not published", tellWithin, "SELECT COUNT(*) FROM events")...)
	for _, s := range w.sales {
		faults = append(faults, w.audit(s)...)
	}
	return faults
}

// audit runs the audit command until nothing is in flight.
func (w *world) audit(s *saleUnderTest) []check.Fault {
	result := w.Command("audit", s.id, "--wait", restWithin)
	if result.Code == 0 {
		return nil
	}
	return []check.Fault{{Check: "comes to rest", Text: fmt.Sprintf("audit %s ended with %d: %s%s", s.id, result.Code,
		result.Stdout, result.Stderr)}}
}

// soldAgain finds, for every fault, the first press after its healing that got an order: through the gateway that was hit,
// else through any.
func soldAgain(log []struck, ops []history.Op) {
	for i := range log {
		s := &log[i]
		for j := range ops {
			op := &ops[j]
			if op.Verb != history.Buy || op.End != history.OK || op.Status != 202 || op.Invoke < s.span.ToUS ||
				s.gateway != noGateway && s.gateway != op.Gateway {
				continue
			}
			if again := time.Duration(op.Return-s.span.ToUS) * time.Microsecond; !s.sold || again < s.again {
				s.again, s.sold = again, true
			}
		}
	}
}
