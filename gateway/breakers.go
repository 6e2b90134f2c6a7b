package gateway

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/alibaba/sentinel-golang/api"
	"github.com/alibaba/sentinel-golang/core/base"
	"github.com/alibaba/sentinel-golang/core/circuitbreaker"
	"github.com/alibaba/sentinel-golang/core/config"
	"github.com/alibaba/sentinel-golang/core/flow"
	"github.com/alibaba/sentinel-golang/core/isolation"
	"github.com/alibaba/sentinel-golang/util"

	"flashsale/sale"
)

// Breakers runs flow, isolation and circuit-breaker rules on Sentinel. They protect the gateway and are not exact: Sentinel
// checks first and counts afterwards, so a rule may let up to twice its number pass in a second, and a fault inside Sentinel
// lets the request pass.
//
// Sentinel has its rules and counters in process globals, so all Breakers of a process share one set, and only one goroutine
// may call Load. A resource without rules costs one atomic load.
type Breakers struct {
	last   sale.Rules // the rules of the last Load
	routes map[string]*guard
	stores map[string]*storeCircuit
	open   *circuits
	chain  *base.SlotChain // of the stores
}

// storeCircuit is the state of one store's rules.
type storeCircuit struct {
	ruled atomic.Bool   // the store has a circuit breaker
	shut  atomic.Uint64 // Enter refuses until then without asking Sentinel, in milliseconds of Sentinel's clock
}

// NewBreakers starts Sentinel without its files, collectors and clocks, and without rules.
func NewBreakers() (*Breakers, error) {
	open, err := startSentinel()
	if err != nil {
		return nil, err
	}
	b := &Breakers{
		routes: map[string]*guard{},
		stores: map[string]*storeCircuit{sale.ResourceRedis: {}, sale.ResourceKafka: {}, sale.ResourceMySQL: {}},
		open:   open, chain: base.NewSlotChain(),
	}
	for _, route := range []string{sale.ResourcePurchase, sale.ResourceOrders, sale.ResourceSale} {
		b.routes[route] = newGuard(route)
	}
	b.chain.AddRuleCheckSlot(circuitbreaker.DefaultSlot)
	b.chain.AddStatSlot(circuitbreaker.DefaultMetricStatSlot)
	return b, nil
}

// startSentinel runs once a process: Sentinel's state is global, and a second start would race with its users.
var startSentinel = sync.OnceValues(func() (*circuits, error) {
	util.SetClock(newSteadyClock())
	settings := config.NewDefaultConfig()
	settings.Sentinel.App.Name = "flashsale"
	settings.Sentinel.Log.Logger = silence{}
	settings.Sentinel.Log.Metric.FlushIntervalSec = 0 // no metric file
	settings.Sentinel.Stat.System = config.SystemStatConfig{}
	if err := api.InitWithConfig(settings); err != nil {
		return nil, fmt.Errorf("start sentinel: %w", err)
	}
	open := &circuits{until: map[circuitbreaker.Rule]uint64{}}
	circuitbreaker.RegisterStateChangeListeners(open)
	return open, nil
})

// Enter asks whether a store may be called. If ok, the caller must call exit once with the error of the call; otherwise the
// store's circuit is open.
func (b *Breakers) Enter(resource string) (exit func(error), ok bool) {
	store := b.stores[resource]
	if store == nil || !store.ruled.Load() {
		return leave, true
	}
	if shut := store.shut.Load(); shut != 0 && util.CurrentTimeMillis() < shut {
		return leave, false
	}
	entry, blocked := api.Entry(resource, api.WithTrafficType(base.Outbound), api.WithSlotChain(b.chain))
	if blocked != nil {
		return leave, false
	}
	return func(err error) {
		if err != nil {
			api.TraceError(entry, err)
		}
		entry.Exit()
	}, true
}

func leave(error) {}

// Load applies a new set of rules. It skips the kinds of rules that did not change, so that they keep their counters.
func (b *Breakers) Load(rules sale.Rules) error {
	last := b.last
	b.last = rules
	if !reflect.DeepEqual(last.Flow, rules.Flow) {
		if _, err := flow.LoadRules(flowRules(rules.Flow)); err != nil {
			return fmt.Errorf("load flow rules: %w", err)
		}
	}
	if !reflect.DeepEqual(last.Isolation, rules.Isolation) {
		if _, err := isolation.LoadRules(isolationRules(rules.Isolation)); err != nil {
			return fmt.Errorf("load isolation rules: %w", err)
		}
	}
	for resource, store := range b.stores {
		present, next := rulesOf(last.CircuitBreaker, resource), rulesOf(rules.CircuitBreaker, resource)
		if slices.Equal(present, next) {
			continue
		}
		if err := b.loadCircuit(resource, store, breakerRules(next)); err != nil {
			return err
		}
	}
	b.mark(&rules)
	return nil
}

// loadCircuit replaces the circuit breakers of one store. An open circuit stays open for its time after any edit, unless the
// store has no rule any more.
func (b *Breakers) loadCircuit(resource string, store *storeCircuit, next []*circuitbreaker.Rule) error {
	until := max(store.shut.Load(), b.open.replaced(resource, next))
	if len(next) == 0 {
		until = 0
	}
	store.shut.Store(until)
	if _, err := circuitbreaker.LoadRulesOfResource(resource, next); err != nil {
		return fmt.Errorf("load circuit breaker rules of %s: %w", resource, err)
	}
	return nil
}

// rulesOf returns the rules of one store, in their order.
func rulesOf(rules []sale.BreakerRule, resource string) (of []sale.BreakerRule) {
	for _, rule := range rules {
		if rule.Resource == resource {
			of = append(of, rule)
		}
	}
	return of
}

func (b *Breakers) mark(rules *sale.Rules) {
	for _, route := range b.routes {
		route.load(rules)
	}
	for resource, store := range b.stores {
		store.ruled.Store(slices.ContainsFunc(rules.CircuitBreaker,
			func(r sale.BreakerRule) bool { return r.Resource == resource }))
	}
}

func flowRules(rules []sale.FlowRule) []*flow.Rule {
	out := make([]*flow.Rule, 0, len(rules))
	for _, rule := range rules {
		out = append(out, &flow.Rule{
			Resource: rule.Resource, Threshold: rule.QPS,
			TokenCalculateStrategy: flow.Direct, ControlBehavior: flow.Reject,
		})
	}
	return out
}

func isolationRules(rules []sale.IsolationRule) []*isolation.Rule {
	out := make([]*isolation.Rule, 0, len(rules))
	for _, rule := range rules {
		out = append(out, &isolation.Rule{
			Resource: rule.Resource, MetricType: isolation.Concurrency, Threshold: rule.Concurrency,
		})
	}
	return out
}

func breakerRules(rules []sale.BreakerRule) []*circuitbreaker.Rule {
	strategies := map[string]circuitbreaker.Strategy{
		sale.StrategySlowRatio:  circuitbreaker.SlowRequestRatio,
		sale.StrategyErrorRatio: circuitbreaker.ErrorRatio,
		sale.StrategyErrorCount: circuitbreaker.ErrorCount,
	}
	out := make([]*circuitbreaker.Rule, 0, len(rules))
	for _, rule := range rules {
		slices := uint32(1)
		if rule.WindowMS%10 == 0 {
			slices = 10
		}
		out = append(out, &circuitbreaker.Rule{
			Resource: rule.Resource, Strategy: strategies[rule.Strategy], Threshold: rule.Threshold,
			RetryTimeoutMs: rule.RetryMS, MinRequestAmount: rule.MinRequests, StatIntervalMs: rule.WindowMS,
			StatSlidingWindowBucketCount: slices, MaxAllowedRtMs: rule.MaxRTMillis,
		})
	}
	return out
}

// silence discards Sentinel's log: rule reloads and blocked entries, which the gateway's metrics count.
type silence struct{}

func (silence) Debug(string, ...any)        {}
func (silence) DebugEnabled() bool          { return false }
func (silence) Info(string, ...any)         {}
func (silence) InfoEnabled() bool           { return false }
func (silence) Warn(string, ...any)         {}
func (silence) WarnEnabled() bool           { return false }
func (silence) Error(error, string, ...any) {}
func (silence) ErrorEnabled() bool          { return false }
