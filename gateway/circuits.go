package gateway

import (
	"slices"
	"sync"

	"github.com/alibaba/sentinel-golang/core/circuitbreaker"
	"github.com/alibaba/sentinel-golang/util"
)

// circuits remembers until when each open circuit stays open. Sentinel (1.0.4) closes the circuit of a rule if any member of
// the rule changes: an edit of the rule of a failed store would send all calls to that store again. Breakers uses circuits
// to keep such a circuit open for its time.
type circuits struct {
	mu    sync.Mutex
	until map[circuitbreaker.Rule]uint64 // in milliseconds of Sentinel's clock
}

// OnTransformToOpen notes an open circuit.
func (c *circuits) OnTransformToOpen(_ circuitbreaker.State, rule circuitbreaker.Rule, _ any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until[rule] = util.CurrentTimeMillis() + uint64(rule.RetryTimeoutMs)
}

// OnTransformToHalfOpen removes the circuit from the open circuits, because its time is over.
func (c *circuits) OnTransformToHalfOpen(_ circuitbreaker.State, rule circuitbreaker.Rule) {
	c.forget(rule)
}

// OnTransformToClosed removes the circuit from the open circuits.
func (c *circuits) OnTransformToClosed(_ circuitbreaker.State, rule circuitbreaker.Rule) {
	c.forget(rule)
}

func (c *circuits) forget(rule circuitbreaker.Rule) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.until, rule)
}

// replaced forgets the open circuits of a resource whose rules are not in next. It returns until when the last of them would
// have stayed open, 0 if there is none.
func (c *circuits) replaced(resource string, next []*circuitbreaker.Rule) (until uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for rule, end := range c.until {
		stays := slices.ContainsFunc(next, func(n *circuitbreaker.Rule) bool { return *n == rule })
		if rule.Resource != resource || stays {
			continue
		}
		until = max(until, end)
		delete(c.until, rule)
	}
	return until
}
