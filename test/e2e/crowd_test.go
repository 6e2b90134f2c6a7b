package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	deployed "flashsale/test/stack"
)

// press is one press of Buy.
type press struct {
	buyer    int
	sku      string
	key      string // idempotency key, "" for none
	quantity int    // 0: an empty body
	gateway  int
}

// crowd presses Buy at the gateways of a stack, closed loop over a fixed number of connections, and remembers every
// answer. Retries follow the contract: what an app repeats is repeated, with the same key, after a second.
type crowd struct {
	s           *stack
	sale        string
	buyers      int
	connections int
	tokens      []string
	onTaken     map[int64]func() // called once when so many presses were answered 202, one after another
	hooks       sync.Mutex
	taken       atomic.Int64
	spare       int // buyers taken from the end of the crowd
	mu          sync.Mutex
	history     []told
	faults      []error // answers that could not be understood
}

func newCrowd(s *stack, sale string, buyers int) *crowd {
	c := &crowd{s: s, sale: sale, buyers: buyers, connections: 128, tokens: make([]string, buyers), onTaken: map[int64]func(){}}
	for i := range c.tokens {
		c.tokens[i] = token(c.buyerID(i))
	}
	return c
}

func (c *crowd) buyerID(i int) string { return fmt.Sprintf("buyer-%06d", i) }

// presses makes the list for a rush: every buyer presses once, and again repeats presses are spread behind their firsts,
// each with the same key, without a key, or with the same key at another gateway. quantity gives the units of a press, 0
// for an empty body.
func (c *crowd) presses(seed uint64, repeats int, skus []string, quantity func(*rand.Rand) int) []press {
	random := rand.New(rand.NewPCG(seed, 1))
	list := make([]press, 0, c.buyers+repeats)
	for _, buyer := range random.Perm(c.buyers) {
		p := press{buyer: buyer, sku: skus[random.IntN(len(skus))], quantity: quantity(random), gateway: random.IntN(len(c.s.Gateways))}
		if random.IntN(3) > 0 {
			p.key = fmt.Sprintf("key %d", buyer)
		}
		list = append(list, p)
	}
	for range repeats {
		p := list[random.IntN(c.buyers)]
		switch random.IntN(3) {
		case 0:
			p.key = ""
		case 1:
			p.gateway = (p.gateway + 1) % len(c.s.Gateways)
		}
		list = append(list, p)
	}
	return interleave(random, list, c.buyers)
}

// interleave moves each repeat to a random place: also just before or beside its first, as an impatient thumb does.
func interleave(random *rand.Rand, list []press, firsts int) []press {
	for i := firsts; i < len(list); i++ {
		j := random.IntN(i + 1)
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// rush sends all presses as fast as the connections carry them, then repeats what an app would repeat until nothing is
// left to repeat. It fails the test when that does not end.
func (c *crowd) rush(list []press) {
	c.s.t.Helper()
	const rounds = 40
	for range rounds {
		answers := c.round(list)
		list = nil
		for i := range answers {
			if answers[i].again() {
				list = append(list, answers[i].next(len(c.s.Gateways)))
			}
		}
		if len(list) == 0 {
			require.Empty(c.s.t, c.faults)
			return
		}
		<-time.After(time.Second) // what Retry-After asks for
	}
	c.s.t.Fatalf("%d presses have no final answer after %d rounds", len(list), rounds)
}

// next is the press that an app sends after this answer.
func (t *told) next(gateways int) press {
	p := t.press
	if t.code == "not_enough" {
		p.quantity, p.key = t.available, "" // asks for less, which is another purchase
	}
	p.gateway = (p.gateway + 1) % gateways
	return p
}

// round sends each press once and returns the answers.
func (c *crowd) round(list []press) []told {
	var next atomic.Int64
	var group sync.WaitGroup
	answers := make([]told, len(list))
	for range min(c.connections, len(list)) {
		group.Add(1)
		go func() {
			defer group.Done()
			w := newThumb(c)
			defer w.close()
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				answers[i] = w.press(list[i])
			}
		}()
	}
	group.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history = append(c.history, answers...)
	return answers
}

// thumb is one worker with a connection to each gateway.
type thumb struct {
	crowd *crowd
	conns []*conn
}

func newThumb(c *crowd) *thumb { return &thumb{crowd: c, conns: make([]*conn, len(c.s.Gateways))} }

func (w *thumb) press(p press) told {
	c := w.crowd
	g := c.s.Gateways[p.gateway]
	if w.conns[p.gateway] == nil {
		opened, err := dial(g.Buyers)
		if err != nil {
			return told{press: p, sent: time.Now(), got: time.Now()} // nobody there: as good as no answer
		}
		w.conns[p.gateway] = opened
	}
	path := "/v1/sales/" + c.sale + "/items/" + p.sku + "/orders"
	answer, err := w.conns[p.gateway].send(g.Buyers, path, c.tokens[p.buyer], p)
	if err != nil {
		if answer.status != 0 {
			c.fault(err)
		}
		_ = w.conns[p.gateway].Close()
		w.conns[p.gateway] = nil
		answer.status = 0
	}
	if answer.status == 202 {
		if hook := c.onTaken[c.taken.Add(1)]; hook != nil {
			c.call(hook)
		}
	}
	return answer
}

// call runs a hook when the one before it is through: two that kill and restart the same process must not meet.
func (c *crowd) call(hook func()) {
	c.hooks.Lock()
	defer c.hooks.Unlock()
	hook()
}

func (w *thumb) close() {
	for _, open := range w.conns {
		if open != nil {
			_ = open.Close()
		}
	}
}

func (c *crowd) fault(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, err)
}

// paced sends presses one after the other at a steady rate from a few thumbs, whatever the answers, until stop is
// closed. It is the traffic under which servers are stopped.
func (c *crowd) paced(perSecond int, sku string, stop <-chan struct{}) {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	var group sync.WaitGroup
	jobs := make(chan press)
	for range c.connections {
		group.Add(1)
		go func() {
			defer group.Done()
			w := newThumb(c)
			defer w.close()
			for p := range jobs {
				answer := w.press(p)
				c.mu.Lock()
				c.history = append(c.history, answer)
				c.mu.Unlock()
			}
		}()
	}
	defer group.Wait()
	defer close(jobs)
	for i := 0; i < c.buyers; i++ {
		select {
		case <-stop:
			return
		case <-tick.C:
			jobs <- press{buyer: i, sku: sku, key: fmt.Sprintf("key %d", i), gateway: i % len(c.s.Gateways)}
		}
	}
}

// codes counts the answers by code.
func (c *crowd) codes() map[string]int {
	counts := map[string]int{}
	for i := range c.history {
		code := c.history[i].code
		if c.history[i].status == 0 {
			code = "no answer"
		}
		counts[code]++
	}
	return counts
}

func TestCrowdRepeatsAThirdOfItsPresses(t *testing.T) {
	c := newCrowd(&stack{&deployed.Stack{Gateways: make([]*gateway, 2)}, t}, "s", 1000)
	list := c.presses(1, 500, []string{"a", "b"}, func(*rand.Rand) int { return 1 })
	require.Len(t, list, 1500)
	seen := map[int]int{}
	for _, p := range list {
		seen[p.buyer]++
	}
	require.Len(t, seen, 1000, "every buyer presses")
	require.Equal(t, list, c.presses(1, 500, []string{"a", "b"}, func(*rand.Rand) int { return 1 }), "the seed decides")
}
