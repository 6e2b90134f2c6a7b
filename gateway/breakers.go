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

// Breakers runs the flow, isolation and circuit-breaker rules on Sentinel. It is protection and never correctness:
// Sentinel checks first and counts afterwards, so a rule may let up to twice its number pass in a bad second, and an
// internal fault of Sentinel means pass.
//
// Sentinel keeps rules and counters in process globals, so all Breakers of a process share one set, and one goroutine
// alone may call Load. A resource without rules costs one atomic load.
type Breakers struct {
	last   sale.Rules // what Load applied last
	routes map[string]*guard
	stores map[string]*atomic.Bool // whether the store has a circuit breaker
	chain  *base.SlotChain         // of the stores
}

// NewBreakers starts Sentinel without its files, collectors and clocks, and without rules.
func NewBreakers() (*Breakers, error) {
	if err := startSentinel(); err != nil {
		return nil, err
	}
	b := &Breakers{
		routes: map[string]*guard{},
		stores: map[string]*atomic.Bool{sale.ResourceRedis: {}, sale.ResourceKafka: {}, sale.ResourceMySQL: {}},
		chain:  base.NewSlotChain(),
	}
	for _, route := range []string{sale.ResourcePurchase, sale.ResourceOrders, sale.ResourceSale} {
		b.routes[route] = newGuard(route)
	}
	b.chain.AddRuleCheckSlot(circuitbreaker.DefaultSlot)
	b.chain.AddStatSlot(circuitbreaker.DefaultMetricStatSlot)
	return b, nil
}

// startSentinel runs once a process: Sentinel's own state is global, and starting it again would race with its users.
var startSentinel = sync.OnceValue(func() error {
	util.SetClock(newSteadyClock())
	settings := config.NewDefaultConfig()
	settings.Sentinel.App.Name = "flashsale"
	settings.Sentinel.Log.Logger = silence{}
	settings.Sentinel.Log.Metric.FlushIntervalSec = 0 // no metric file
	settings.Sentinel.Stat.System = config.SystemStatConfig{}
	if err := api.InitWithConfig(settings); err != nil {
		return fmt.Errorf("start sentinel: %w", err)
	}
	return nil
})

// Enter asks to call a store. Where ok, exit must be called once with the error of the call; otherwise the store's
// circuit is open.
func (b *Breakers) Enter(resource string) (exit func(error), ok bool) {
	if ruled := b.stores[resource]; ruled == nil || !ruled.Load() {
		return leave, true
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

// Load puts a new set of rules to work and skips the kinds that did not change, whose counters go on.
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
	if !reflect.DeepEqual(last.CircuitBreaker, rules.CircuitBreaker) {
		if _, err := circuitbreaker.LoadRules(breakerRules(rules.CircuitBreaker)); err != nil {
			return fmt.Errorf("load circuit breaker rules: %w", err)
		}
	}
	b.mark(&rules)
	return nil
}

func (b *Breakers) mark(rules *sale.Rules) {
	for _, route := range b.routes {
		route.follow(rules)
	}
	for resource, ruled := range b.stores {
		ruled.Store(slices.ContainsFunc(rules.CircuitBreaker, func(r sale.BreakerRule) bool { return r.Resource == resource }))
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

// silence is Sentinel's logger: it reports rule reloads and blocked entries, which the gateway's metrics already count.
type silence struct{}

func (silence) Debug(string, ...any)        {}
func (silence) DebugEnabled() bool          { return false }
func (silence) Info(string, ...any)         {}
func (silence) InfoEnabled() bool           { return false }
func (silence) Warn(string, ...any)         {}
func (silence) WarnEnabled() bool           { return false }
func (silence) Error(error, string, ...any) {}
func (silence) ErrorEnabled() bool          { return false }
