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
	node     *stat.ResourceNode // counts what passed and who is inside
	flow     *base.SlotChain
	inside   *base.SlotChain
	contexts sync.Pool
	window   uint64        // milliseconds in which what flow rules have counted only grows
	left     atomic.Uint64 // requests that have left
	ruled    atomic.Pointer[ruled]
}

// ruled is what is known of one set of rules of a route.
type ruled struct {
	flow   ahead
	inside ahead // isolation rules

	// A refusal is given again without asking until it can be another one, so that a refused crowd costs nothing: a flow
	// rule's in the same window, an isolation rule's until somebody leaves. Both are the number plus one; 0 is none.
	refusedIn   atomic.Uint64
	refusedLeft atomic.Uint64
}

// ahead is how many requests the rules of one kind have let pass ahead. What flow rules have passed is lost at the end of
// the window; isolation rules bear that so many more come inside, whenever that is.
type ahead struct {
	batch  uint32        // how many are asked for together, 0: there is no rule
	passed atomic.Uint64 // the window, then the number in the last 8 bits
}

// Bounds of asking ahead: a thousandth of what the narrowest rule lets pass is what it may be wrong by.
const (
	maxAhead  = 64
	aheadPart = 1000
)

// narrow takes a rule into account that lets so many pass.
func (a *ahead) narrow(most float64) {
	batch := max(1, uint32(min(most/aheadPart, maxAhead)))
	if a.batch == 0 || batch < a.batch {
		a.batch = batch
	}
}

// take takes one that has passed ahead in this window.
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

// follow takes over rules that Sentinel has loaded.
func (g *guard) follow(rules *sale.Rules) {
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

// pass is leave to serve one request, given back by leave. The zero pass is one without rules.
type pass struct{ guard *guard }

func (p pass) leave() {
	if p.guard != nil {
		p.guard.node.DecreaseConcurrency()
		p.guard.left.Add(1)
	}
}

// enter asks to serve a request. The outcome is rate_limited or overloaded where ok is false.
func (g *guard) enter() (p pass, refusal sale.Outcome, ok bool) {
	r := g.ruled.Load()
	if r == nil {
		return pass{}, 0, true
	}
	window, left := util.CurrentTimeMillis()/g.window, g.left.Load() // both before any question
	switch {
	case r.refusedIn.Load() == window+1:
		return pass{}, sale.OutcomeRateLimited, false
	case r.refusedLeft.Load() == left+1:
		return pass{}, sale.OutcomeOverloaded, false
	}
	full := !g.come(r)
	if full && !g.passes(g.flow, 1) || !full && !g.flows(r, window) {
		r.refusedIn.Store(window + 1)
		return pass{}, sale.OutcomeRateLimited, false
	}
	if full {
		r.refusedLeft.Store(left + 1)
		return pass{}, sale.OutcomeOverloaded, false
	}
	g.node.IncreaseConcurrency()
	return pass{g}, 0, true
}

// come reports whether the isolation rules let one more come inside.
func (g *guard) come(r *ruled) bool {
	if r.inside.batch == 0 || r.inside.take(0) {
		return true
	}
	batch, ok := g.ask(g.inside, r.inside.batch)
	if ok {
		r.inside.passed.Store(uint64(batch - 1))
	}
	return ok
}

// flows reports whether the flow rules let one more pass, and counts it.
func (g *guard) flows(r *ruled, window uint64) bool {
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
	if batch > 1 && g.passes(kind, batch) {
		return batch, true
	}
	return 1, g.passes(kind, 1)
}

// passes reports whether the rules of a kind let so many requests pass; a fault inside Sentinel means pass, since it is
// protection and never correctness.
func (g *guard) passes(kind *base.SlotChain, requests uint32) bool {
	ctx := g.contexts.Get().(*base.EntryContext)
	ctx.Input.BatchCount = requests
	result := kind.Entry(ctx)
	if result == nil {
		return true // and whatever is in that context is not used again
	}
	ok := !result.IsBlocked()
	ctx.RuleCheckResult.ResetToPass()
	g.contexts.Put(ctx)
	return ok
}
