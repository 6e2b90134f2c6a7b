package gateway

import (
	"sync"
	"sync/atomic"

	"github.com/alibaba/sentinel-golang/core/base"
	"github.com/alibaba/sentinel-golang/core/config"
	"github.com/alibaba/sentinel-golang/core/flow"
	"github.com/alibaba/sentinel-golang/core/isolation"
	"github.com/alibaba/sentinel-golang/core/stat"
	"github.com/alibaba/sentinel-golang/util"

	"flashsale/sale"
)

// guard asks Sentinel's flow and isolation rules about the requests of one route. The checks and the counters are
// Sentinel's; what its general entry does for other kinds of rules is left out, and what it answers is asked for no more
// often than the answer can change (BenchmarkAccept).
type guard struct {
	resource *base.ResourceWrapper
	node     *stat.ResourceNode // counts the requests that passed and those that are inside
	flow     *base.SlotChain
	inside   *base.SlotChain
	contexts sync.Pool
	window   uint64        // milliseconds in which what flow rules have counted only grows
	left     atomic.Uint64 // requests that have ended
	ruled    atomic.Pointer[ruled]
}

// ruled is what is known of one set of rules of a route.
type ruled struct {
	flow   ahead
	inside ahead // isolation rules

	// A refusal is given again without asking until it can be another one, so that a refused crowd costs nothing: a flow
	// rule's in the same window, an isolation rule's until a request ends. Both are the number plus one; 0 is none.
	refusedIn   atomic.Uint64
	refusedLeft atomic.Uint64
}

// ahead is how many requests the rules of one kind have allowed ahead. What flow rules have allowed expires at the end of the
// window; isolation rules tolerate so many more requests inside at any later time.
type ahead struct {
	batch  uint32        // how many are asked for together, 0: there is no rule
	passed atomic.Uint64 // the window, then the number in the last 8 bits
}

// Bounds of asking ahead: a thousandth of what the narrowest rule allows is what it may be wrong by.
const (
	maxAhead  = 64
	aheadPart = 1000
)

// narrow takes a rule into account that allows so many.
func (a *ahead) narrow(most float64) {
	batch := max(1, uint32(min(most/aheadPart, maxAhead)))
	if a.batch == 0 || batch < a.batch {
		a.batch = batch
	}
}

// take takes one request that was allowed ahead in this window.
func (a *ahead) take(window uint64) bool {
	for {
		passed := a.passed.Load()
		if passed>>8 != window || passed&0xff == 0 {
			return false
		}
		if a.passed.CompareAndSwap(passed, passed-1) {
			return true
		}
	}
}

func newGuard(name string) *guard {
	g := &guard{
		resource: base.NewResourceWrapper(name, base.ResTypeCommon, base.Inbound),
		node:     stat.GetOrCreateResourceNode(name, base.ResTypeCommon),
		flow:     base.NewSlotChain(), inside: base.NewSlotChain(), window: uint64(config.GlobalStatisticBucketLengthInMs()),
	}
	g.flow.AddRuleCheckSlot(flow.DefaultSlot)
	g.inside.AddRuleCheckSlot(isolation.DefaultSlot)
	g.contexts.New = func() any {
		return &base.EntryContext{
			Resource: g.resource, StatNode: g.node, Input: new(base.SentinelInput), RuleCheckResult: base.NewTokenResultPass(),
		}
	}
	return g
}

// load takes over rules that Sentinel has loaded already.
func (g *guard) load(rules *sale.Rules) {
	next := &ruled{}
	for _, rule := range rules.Flow {
		if rule.Resource == g.resource.Name() {
			next.flow.narrow(rule.QPS)
		}
	}
	for _, rule := range rules.Isolation {
		if rule.Resource == g.resource.Name() {
			next.inside.narrow(float64(rule.Concurrency))
		}
	}
	if next.flow.batch == 0 && next.inside.batch == 0 {
		next = nil
	}
	g.ruled.Store(next)
}

// permit allows one request, until leave. The zero permit is that of a route without rules.
type permit struct{ guard *guard }

func (p permit) leave() {
	if p.guard != nil {
		p.guard.node.DecreaseConcurrency()
		p.guard.left.Add(1)
	}
}

// enter asks to serve a request. The outcome is rate_limited or overloaded where ok is false.
func (g *guard) enter() (p permit, refusal sale.Outcome, ok bool) {
	r := g.ruled.Load()
	if r == nil {
		return permit{}, 0, true
	}
	window, left := util.CurrentTimeMillis()/g.window, g.left.Load() // both before any question
	switch {
	case r.refusedIn.Load() == window+1:
		return permit{}, sale.OutcomeRateLimited, false
	case r.refusedLeft.Load() == left+1:
		return permit{}, sale.OutcomeOverloaded, false
	}
	full := !g.isolationAllows(r)
	if full && !g.allowed(g.flow, 1) || !full && !g.flowAllows(r, window) {
		r.refusedIn.Store(window + 1)
		return permit{}, sale.OutcomeRateLimited, false
	}
	if full {
		r.refusedLeft.Store(left + 1)
		return permit{}, sale.OutcomeOverloaded, false
	}
	g.node.IncreaseConcurrency()
	return permit{g}, 0, true
}

// isolationAllows reports whether the isolation rules allow one more request inside.
func (g *guard) isolationAllows(r *ruled) bool {
	if r.inside.batch == 0 || r.inside.take(0) {
		return true
	}
	batch, ok := g.ask(g.inside, r.inside.batch)
	if ok {
		r.inside.passed.Store(uint64(batch - 1))
	}
	return ok
}

// flowAllows reports whether the flow rules allow one more request, and counts it.
func (g *guard) flowAllows(r *ruled, window uint64) bool {
	if r.flow.batch == 0 || r.flow.take(window) {
		return true
	}
	batch, ok := g.ask(g.flow, r.flow.batch)
	if ok {
		g.node.AddCount(base.MetricEventPass, int64(batch))
		r.flow.passed.Store(window<<8 | uint64(batch-1))
	}
	return ok
}

// ask asks the rules of a kind for a batch, and where that is too much for one request.
func (g *guard) ask(kind *base.SlotChain, batch uint32) (uint32, bool) {
	if batch > 1 && g.allowed(kind, batch) {
		return batch, true
	}
	return 1, g.allowed(kind, 1)
}

// allowed reports whether the rules of a kind allow so many requests. A fault inside Sentinel allows them, since its rules
// protect the gateway and decide nothing about stock.
func (g *guard) allowed(kind *base.SlotChain, requests uint32) bool {
	ctx := g.contexts.Get().(*base.EntryContext)
	ctx.Input.BatchCount = requests
	result := kind.Entry(ctx)
	if result == nil {
		return true // that context may hold anything, so it does not return to the pool
	}
	ok := !result.IsBlocked()
	ctx.RuleCheckResult.ResetToPass()
	g.contexts.Put(ctx)
	return ok
}
