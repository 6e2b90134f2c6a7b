package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/test/buyers/history"
)

// Size of the crowd: small enough that the history of a SKU can be decided, and that the engine, its servers and the
// suite have room on two cores.
const (
	thumbs     = 16
	thinkLeast = 10 * time.Millisecond
	thinkMost  = 70 * time.Millisecond
	population = 500 // buyers of a sale
	remembered = 500 // orders that somebody may read, cancel or pay
)

// crowd is everybody who uses the engine: buyers, the shop, and the operator who pauses a sale now and then.
type crowd struct {
	w       *world
	out     *history.Recorder
	sales   []*saleUnderTest
	tokens  sync.Map // buyer to token
	nextKey atomic.Int64

	mu     sync.Mutex
	orders []known
}

// known is an order that somebody was told of.
type known struct {
	order, sale, sku, buyer string
}

// run lets everybody act until ctx ends, then waits for the answers under way.
func (c *crowd) run(ctx context.Context, seed uint64) {
	var everybody sync.WaitGroup
	for i := range thumbs {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		everybody.Go(func() {
			t := &thumb{crowd: c, random: random, client: newClient()}
			defer t.client.CloseIdleConnections()
			for ctx.Err() == nil {
				t.act()
				t.pause(ctx, thinkLeast+time.Duration(random.Int64N(int64(thinkMost-thinkLeast))))
			}
		})
	}
	everybody.Go(func() { c.operate(ctx, rand.New(rand.NewPCG(seed, thumbs))) })
	everybody.Wait()
}

// thumb is one of the crowd, who acts for many buyers one after the other.
type thumb struct {
	*crowd
	random *rand.Rand
	client *client
	again  *history.Question // a press whose outcome is not known, to be repeated under its key
}

func (t *thumb) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (t *thumb) act() {
	if q := t.again; q != nil {
		t.again = nil
		if t.random.IntN(8) > 0 {
			again := *q
			again.Gateway = t.random.IntN(gatewayCount)
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

func (t *thumb) buy() {
	s := pick(t.random, t.sales)
	if time.Now().After(s.buyUntil) {
		s = t.sales[0]
	}
	q := history.Question{Verb: history.Buy, Sale: s.id, SKU: pick(t.random, s.items).SKU,
		Buyer: fmt.Sprintf("%s-b%03d", s.id, t.random.IntN(population)), Gateway: t.random.IntN(gatewayCount)}
	q.Quantity = 1 + t.random.IntN(s.limit)
	if t.random.IntN(10) < 7 {
		q.Key = fmt.Sprintf("key %d", t.nextKey.Add(1))
	}
	t.press(q)
}

// press asks, and remembers what an app repeats.
func (t *thumb) press(q history.Question) {
	op := t.ask(t.client, q)
	if seen := op.Order(); seen.Order != "" {
		t.remember(known{seen.Order, q.Sale, q.SKU, q.Buyer})
	}
	if op.End == history.Perhaps && q.Key != "" {
		t.again = &q
	}
}

func (t *thumb) list() {
	if k, ok := t.any(); ok {
		t.ask(t.client, history.Question{Verb: history.List, Sale: k.sale, SKU: k.sku, Buyer: k.buyer,
			Gateway: t.random.IntN(gatewayCount)})
	}
}

func (t *thumb) ofOrder(verb history.Verb) {
	k, ok := t.any()
	if !ok {
		return
	}
	q := history.Question{Verb: verb, Sale: k.sale, SKU: k.sku, Buyer: k.buyer, Order: k.order, Gateway: t.random.IntN(gatewayCount)}
	if verb == history.Pay {
		q.Payment = fmt.Sprintf("pay-%d", t.nextKey.Add(1))
	}
	t.ask(t.client, q)
}

// ask sends a question and records both ends.
func (c *crowd) ask(with *client, q history.Question) history.Op {
	n := c.out.Invoke(q)
	return c.out.Return(n, with.ask(c, q))
}

func (c *crowd) token(buyer string) string {
	if made, known := c.tokens.Load(buyer); known {
		return made.(string)
	}
	made := token(buyer)
	c.tokens.Store(buyer, made)
	return made
}

func (c *crowd) remember(k known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.orders) >= remembered {
		c.orders = c.orders[len(c.orders)-remembered/2:]
	}
	c.orders = append(c.orders, k)
}

func (t *thumb) any() (known, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.orders) == 0 {
		return known{}, false
	}
	return t.orders[t.random.IntN(len(t.orders))], true
}

// operate pauses the first sale for a moment now and then, and resumes it until that is answered.
func (c *crowd) operate(ctx context.Context, random *rand.Rand) {
	with := newClient()
	defer with.CloseIdleConnections()
	t := &thumb{crowd: c, random: random, client: with}
	move := func(verb history.Verb) history.Op {
		return c.ask(with, history.Question{Verb: verb, Sale: c.sales[0].id, Gateway: random.IntN(gatewayCount)})
	}
	for {
		t.pause(ctx, 5*time.Second+time.Duration(random.Int64N(int64(6*time.Second))))
		if ctx.Err() != nil {
			return
		}
		move(history.Pause)
		t.pause(ctx, 200*time.Millisecond+time.Duration(random.Int64N(int64(800*time.Millisecond))))
		c.resume(with, random)
	}
}

// resume resumes the first sale until a gateway says that it did; the end of the crowd does not end it.
func (c *crowd) resume(with *client, random *rand.Rand) {
	deadline := time.Now().Add(2 * time.Minute)
	for {
		op := c.ask(with, history.Question{Verb: history.Resume, Sale: c.sales[0].id, Gateway: random.IntN(gatewayCount)})
		if op.End == history.OK || op.Code == "wrong_state" || time.Now().After(deadline) {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}
