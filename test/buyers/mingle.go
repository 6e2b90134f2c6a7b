package buyers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"flashsale/test/buyers/history"
)

// Size of a mingling crowd: small enough that the history of a SKU can be decided, and that the engine, its servers and the
// suite have room on two cores.
const (
	workers    = 16
	thinkLeast = 10 * time.Millisecond
	thinkMost  = 70 * time.Millisecond
	population = 500 // buyers of a sale
	remembered = 500 // orders that the crowd may read, cancel or pay
)

// known is an order that an answer has shown to its buyer. sku is empty for an order of several lines.
type known struct{ order, sale, sku, buyer string }

// Mingle runs the crowd until ctx ends, then waits for the answers under way. Buyers buy, repeat purchases of unknown
// outcome under the same key, and read, list and cancel orders; the shop cancels and takes payments; the operator pauses
// and resumes.
func (c *Crowd) Mingle(ctx context.Context, seed uint64) {
	var crowd sync.WaitGroup
	for i := range workers {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		crowd.Go(func() {
			t := &worker{Crowd: c, random: random, client: c.NewClient()}
			defer t.client.Close()
			for ctx.Err() == nil {
				t.act()
				pause(ctx, thinkLeast+time.Duration(random.Int64N(int64(thinkMost-thinkLeast))))
			}
		})
	}
	crowd.Go(func() { c.operate(ctx, rand.New(rand.NewPCG(seed, workers))) })
	crowd.Wait()
}

// worker is one worker of the crowd. It acts for many buyers, one after the other.
type worker struct {
	*Crowd
	random *rand.Rand
	client *Client
	again  *history.Question // a purchase of unknown outcome, to be repeated under its key
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (t *worker) act() {
	if q := t.again; q != nil {
		t.again = nil
		if t.random.IntN(8) > 0 {
			again := *q
			again.Gateway = t.anyGateway()
			t.press(again)
			return
		}
	}
	switch dice := t.random.IntN(100); {
	case dice < 62:
		t.buy()
	case dice < 72:
		t.ofOrder(history.Read)
	case dice < 78:
		t.list()
	case dice < 89:
		t.ofOrder(history.Cancel)
	case dice < 92:
		t.ofOrder(history.ShopCancel)
	default:
		t.ofOrder(history.Pay)
	}
}

func (t *worker) anyGateway() int { return t.random.IntN(len(t.Gateways)) }

func (t *worker) buy() {
	g := t.Targets[t.random.IntN(len(t.Targets))]
	if time.Now().After(g.Until) {
		g = t.Targets[0]
	}
	q := history.Question{Verb: history.Buy, Sale: g.Sale, Buyer: fmt.Sprintf("%s-b%03d", g.Sale, t.random.IntN(population)),
		Gateway: t.anyGateway()}
	several := 1
	if t.random.IntN(3) == 0 {
		several += t.random.IntN(3)
	}
	q.Want(linesOf(t.random, g.SKUs, several, func(random *rand.Rand) int { return 1 + random.IntN(g.Limit) }))
	if t.random.IntN(10) < 7 {
		q.Key = t.FreshKey()
	}
	t.press(q)
}

// linesOf draws lines of distinct SKUs, as many as there are at most.
func linesOf(random *rand.Rand, skus []string, lines int, quantity func(*rand.Rand) int) []history.Line {
	all := make([]history.Line, min(lines, len(skus)))
	places := []int{0}
	if len(skus) > 1 {
		places = random.Perm(len(skus))
	}
	for i := range all {
		all[i] = history.Line{SKU: skus[places[i]], Quantity: quantity(random)}
	}
	return all
}

// press asks, and remembers what an app repeats.
func (t *worker) press(q history.Question) {
	op := t.Ask(t.client, q)
	if seen := op.Order(); seen.Order != "" {
		t.remember(known{seen.Order, q.Sale, q.SKU, q.Buyer})
	}
	if op.End == history.Perhaps && q.Key != "" {
		t.again = &q
	}
}

func (t *worker) list() {
	if k, ok := t.any(); ok {
		t.Ask(t.client, history.Question{Verb: history.List, Sale: k.sale, SKU: k.sku, Buyer: k.buyer, Gateway: t.anyGateway()})
	}
}

func (t *worker) ofOrder(verb history.Verb) {
	k, ok := t.any()
	if !ok {
		return
	}
	q := history.Question{Verb: verb, Sale: k.sale, SKU: k.sku, Buyer: k.buyer, Order: k.order, Gateway: t.anyGateway()}
	if verb == history.Pay {
		q.Payment = fmt.Sprintf("pay-%d", t.nextKey.Add(1))
	}
	t.Ask(t.client, q)
}

func (c *Crowd) remember(k known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.orders) >= remembered {
		c.orders = c.orders[len(c.orders)-remembered/2:]
	}
	c.orders = append(c.orders, k)
}

func (t *worker) any() (known, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.orders) == 0 {
		return known{}, false
	}
	return t.orders[t.random.IntN(len(t.orders))], true
}
