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

// guard applies Sentinel's flow and isolation rules to the requests of one route. It uses Sentinel's checks and counters,
// without the work of its general entry for other kinds of rules. It asks Sentinel only when the answer may have changed
// (BenchmarkAccept).
type guard struct {
	resource *base.ResourceWrapper
	node     *stat.ResourceNode // counts the requests that passed and those in progress
	flow     *base.SlotChain
	inside   *base.SlotChain
	contexts sync.Pool
	window   uint64        // milliseconds in which the counts of flow rules only grow
	left     atomic.Uint64 // requests that have ended
	ruled    atomic.Pointer[ruled]
}

// ruled is the state of one set of rules of a route.
type ruled struct {
	flow   ahead
	inside ahead // isolation rules

	// enter repeats a refusal without asking Sentinel while it cannot change, so that a refused crowd costs little: that of a
	// flow rule in the same window, that of an isolation rule until a request ends. Both are the number plus one; 0 is none.
	refusedIn   atomic.Uint64
	refusedLeft atomic.Uint64
}

// ahead is the requests that the rules of one kind have allowed in advance. Those of flow rules expire at the end of the
// window. Those of isolation rules do not expire, so at most batch more requests than the rule allows are in progress.
type ahead struct {
	batch  uint32        // requests per question to Sentinel, 0: there is no rule
	passed atomic.Uint64 // the window, then the number in the last 8 bits
}

// Bounds of a batch: at most a thousandth of the narrowest rule, which is also the error of the limit.
const (
	maxAhead  = 64
	aheadPart = 1000
)

// narrow adds a rule that allows most requests.
func (a *ahead) narrow(most float64) {
	batch := max(1, uint32(min(most/aheadPart, maxAhead)))
	if a.batch == 0 || batch < a.batch {
		a.batch = batch
	}
}

// take takes one request that the rules have allowed in advance in this window, and reports whether there was one.
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

// load applies rules that Sentinel has loaded already.
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

// permit allows one request until leave. The zero permit is that of a route without rules.
type permit struct{ guard *guard }

func (p permit) leave() {
	if p.guard != nil {
		p.guard.node.DecreaseConcurrency()
		p.guard.left.Add(1)
	}
}

// enter asks to serve a request. If ok is false, the outcome is rate_limited or overloaded.
func (g *guard) enter() (p permit, refusal sale.Outcome, ok bool) {
	r := g.ruled.Load()
	if r == nil {
		return permit{}, 0, true
	}
	window, left := util.CurrentTimeMillis()/g.window, g.left.Load() // both before asking Sentinel
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

// isolationAllows reports whether the isolation rules allow one more request in progress.
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

// ask asks the rules of a kind for a batch and, if they refuse it, for one request.
func (g *guard) ask(kind *base.SlotChain, batch uint32) (uint32, bool) {
	if batch > 1 && g.allowed(kind, batch) {
		return batch, true
	}
	return 1, g.allowed(kind, 1)
}

// allowed reports whether the rules of a kind allow that many requests. A fault inside Sentinel allows them, because its rules
// protect the gateway and do not decide about stock.
func (g *guard) allowed(kind *base.SlotChain, requests uint32) bool {
	ctx := g.contexts.Get().(*base.EntryContext)
	ctx.Input.BatchCount = requests
	result := kind.Entry(ctx)
	if result == nil {
		return true // the context is in an unknown state, so it does not return to the pool
	}
	ok := !result.IsBlocked()
	ctx.RuleCheckResult.ResetToPass()
	g.contexts.Put(ctx)
	return ok
}
