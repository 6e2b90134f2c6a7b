package gateway

import (
	"slices"
	"sync"

	"github.com/alibaba/sentinel-golang/core/circuitbreaker"
	"github.com/alibaba/sentinel-golang/util"
)

// circuits remembers the open circuits and until when each stays so. Sentinel (1.0.4) begins with a closed circuit where a
// rule differs in any member from the ones it has: an operator who edits the rule of a store that is away would let
// everybody at it. What was open is kept shut from here for its time.
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

// OnTransformToHalfOpen forgets the circuit: its time was over.
func (c *circuits) OnTransformToHalfOpen(_ circuitbreaker.State, rule circuitbreaker.Rule) {
	c.forget(rule)
}

// OnTransformToClosed forgets the circuit.
func (c *circuits) OnTransformToClosed(_ circuitbreaker.State, rule circuitbreaker.Rule) {
	c.forget(rule)
}

func (c *circuits) forget(rule circuitbreaker.Rule) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.until, rule)
}

// replaced forgets the circuits of a resource whose rules are not among the next ones, and returns until when the last of
// them would have been open.
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
