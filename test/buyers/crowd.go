package buyers

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/test/buyers/history"
)

// Target is what a mingling crowd buys in one sale.
type Target struct {
	Sale  string
	SKUs  []string
	Limit int       // units of a buyer
	Until time.Time // from then on the crowd buys elsewhere
}

// Crowd is every client of a deployment: the buyers, the shop, and the operator, who pauses a sale now and then. Its
// history records every question and answer.
type Crowd struct {
	*Deployment
	Out         *history.Recorder
	Targets     []Target // of a mingling crowd; the operator pauses the first sale
	Connections int      // of a rush: number of workers, each with a connection to every gateway

	nextKey atomic.Int64
	taken   atomic.Int64
	hooks   map[int64]func()
	turn    sync.Mutex // of the hooks

	mu     sync.Mutex
	orders []known
}

// NewCrowd returns a crowd that keeps its history in out.
func NewCrowd(to *Deployment, out *history.Recorder, targets ...Target) *Crowd {
	return &Crowd{Deployment: to, Out: out, Targets: targets, Connections: 128, hooks: map[int64]func(){}}
}

// Ask sends a question and records both ends.
func (c *Crowd) Ask(with *Client, q history.Question) history.Op {
	n := c.Out.Invoke(q)
	op := c.Out.Return(n, with.Ask(q))
	if q.Verb == history.Buy && op.Status == 202 {
		if hook := c.hooks[c.taken.Add(1)]; hook != nil {
			c.call(hook)
		}
	}
	return op
}

// OnTaken calls do once, when the given number of purchases has been answered 202. Call it before the crowd starts.
func (c *Crowd) OnTaken(purchases int64, do func()) { c.hooks[purchases] = do }

// call runs a hook after the previous one has ended: two that kill and restart the same process must not overlap.
func (c *Crowd) call(hook func()) {
	c.turn.Lock()
	defer c.turn.Unlock()
	hook()
}

// FreshKey returns an idempotency key that this crowd has not used.
func (c *Crowd) FreshKey() string { return fmt.Sprintf("key %d", c.nextKey.Add(1)) }

// Again reports whether an app repeats a purchase after this answer, with the same key.
func Again(a *history.Answer) bool {
	return a.End == history.Perhaps || a.Code == history.NotSent || a.Status == 503 || a.Status == 429
}
