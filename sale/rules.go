package sale

import "fmt"

// Resources that flow and isolation rules can name: the buyers' routes.
const (
	ResourcePurchase = "purchase" // POST …/orders
	ResourceOrders   = "orders"   // the other routes of orders
	ResourceSale     = "sale"     // the sale view and the time
)

// Resources that circuit breakers can name: the stores.
const (
	ResourceRedis = "redis"
	ResourceKafka = "kafka"
	ResourceMySQL = "mysql"
)

// Strategies of circuit breakers.
const (
	StrategySlowRatio  = "slow_ratio"  // threshold 0.001–1 of calls slower than max_rt_ms
	StrategyErrorRatio = "error_ratio" // threshold 0.001–1 of calls that failed
	StrategyErrorCount = "error_count" // threshold in calls that failed
)

// Default limit of one buyer: more than a thumb needs, and enough for an app that polls.
const (
	defaultBuyerPerSecond = 5
	defaultBuyerBurst     = 10
)

// Rules are the limits of the gateways; each gateway applies the numbers on its own, except those of Grief.
type Rules struct {
	Version        int64           `json:"version"`
	Flow           []FlowRule      `json:"flow"`
	Isolation      []IsolationRule `json:"isolation"`
	CircuitBreaker []BreakerRule   `json:"circuit_breaker"`
	Buyer          *Limit          `json:"buyer"`
	Address        *Limit          `json:"address"`
	Grief          Grief           `json:"grief"`
}

// DefaultRules returns the rules of a new engine: a limit per buyer and the rule against grief. They are also the values of
// members that a document leaves out. Addresses have no limit, because many phones may share one, and so do all buyers
// behind a proxy that is not in gateway.trusted_proxies.
func DefaultRules() Rules {
	rules := Rules{Buyer: &Limit{PerSecond: defaultBuyerPerSecond, Burst: defaultBuyerBurst}, Grief: DefaultGrief()}
	rules.Normalize()
	return rules
}

// Drastic describes what this set does if it is probably a mistake as the successor of present: it refuses every request of
// a route, allows a buyer or an address less than a request in 10 s, or removes all rules. It returns "" otherwise.
func (r *Rules) Drastic(present *Rules) string {
	for _, rule := range r.Flow {
		if rule.QPS == 0 {
			return fmt.Sprintf("refuses every request of %s", rule.Resource)
		}
	}
	if what := r.crawls(); what != "" {
		return what
	}
	switch {
	case r.limitsNothing() && !present.limitsNothing():
		return fmt.Sprintf("removes every rule of the present version %d and limits nothing", present.Version)
	case r.plain() && !present.plain():
		return fmt.Sprintf("removes every rule of the present version %d except default limits", present.Version)
	}
	return ""
}

// limitsNothing reports whether the set has no limit at all.
func (r *Rules) limitsNothing() bool { return r.plain() && r.Buyer == nil && r.Grief.Unpaid == 0 }

// crawls describes a limit of a buyer or an address with less than a token in 10 s: it refuses an app that polls its order
// for that long.
func (r *Rules) crawls() string {
	for _, part := range []struct {
		who   string
		limit *Limit
	}{{"a buyer", r.Buyer}, {"an address", r.Address}} {
		if part.limit != nil && part.limit.PerSecond < crawlingRate {
			return fmt.Sprintf("allows %s one request in %.0f s, after the first %d", part.who, 1/part.limit.PerSecond,
				part.limit.Burst)
		}
	}
	return ""
}

// plain reports whether the set has at most the default limits.
func (r *Rules) plain() bool {
	ofBuyer := r.Buyer == nil || *r.Buyer == *DefaultRules().Buyer
	ofGrief := r.Grief.Unpaid == 0 || r.Grief == DefaultGrief()
	return len(r.Flow)+len(r.Isolation)+len(r.CircuitBreaker) == 0 && r.Address == nil && ofBuyer && ofGrief
}

// Normalize turns absent lists into empty ones, so that JSON has [] and not null.
func (r *Rules) Normalize() {
	if r.Flow == nil {
		r.Flow = []FlowRule{}
	}
	if r.Isolation == nil {
		r.Isolation = []IsolationRule{}
	}
	if r.CircuitBreaker == nil {
		r.CircuitBreaker = []BreakerRule{}
	}
}

// FlowRule limits the requests a second of a resource.
type FlowRule struct {
	Resource string  `json:"resource"`
	QPS      float64 `json:"qps"`
}

// IsolationRule limits the concurrent requests of a resource.
type IsolationRule struct {
	Resource    string `json:"resource"`
	Concurrency uint32 `json:"concurrency"`
}

// BreakerRule opens the circuit of a store.
type BreakerRule struct {
	Resource    string  `json:"resource"`
	Strategy    string  `json:"strategy"`
	Threshold   float64 `json:"threshold"`
	MaxRTMillis uint64  `json:"max_rt_ms,omitempty"` // slow_ratio only
	WindowMS    uint32  `json:"window_ms"`
	MinRequests uint64  `json:"min_requests"`
	RetryMS     uint32  `json:"retry_ms"`
}

// Grief is the rule against buyers who take units and do not pay: after Unpaid cancelled or expired orders of one SKU within
// WindowS seconds, a buyer gets no more of it. Unpaid 0 turns it off. It applies across gateways, because Redis decides it.
type Grief struct {
	Unpaid  int   `json:"unpaid"`
	WindowS int64 `json:"window_s"`
}

// DefaultGrief returns the rule of a new engine.
func DefaultGrief() Grief { return Grief{Unpaid: 3, WindowS: 86_400} }

// ForSale returns the rule for Redis, where paymentTTL is that of the sale in seconds. Redis has the time when an order was
// made, not when it ended. So the window for Redis is longer by the longest time that an order may stay unpaid; otherwise
// orders that expire one after the other would leave a short window before they reach Unpaid. An order that is confirmed
// late may stay unpaid for LeastToPay more. An order that is cancelled early counts longer by the same time.
func (g Grief) ForSale(paymentTTL int64) Grief {
	if g.Unpaid > 0 {
		g.WindowS += paymentTTL + min(paymentTTL, LeastToPay)
	}
	return g
}

func (g Grief) validate() error {
	switch {
	case g.Unpaid < 0 || g.Unpaid > MaxReleased:
		return Fieldf("grief.unpaid", "must be 0 to %d", MaxReleased)
	case g.WindowS < 0 || g.WindowS > maxGriefS || (g.Unpaid > 0 && g.WindowS == 0):
		return Fieldf("grief.window_s", "must be 1 to %d", maxGriefS)
	}
	return nil
}

// Limit is a token bucket: PerSecond tokens a second, at most Burst of them saved.
type Limit struct {
	PerSecond float64 `json:"per_second"`
	Burst     int     `json:"burst"`
}

// Bounds of the rules.
const (
	maxRulesEach   = 100
	minRate        = 0.001 // a token in a quarter of an hour: a lower rate never opens again for a buyer
	crawlingRate   = 0.1   // a lower limit of a buyer or an address is drastic
	minRatio       = 0.001 // Sentinel opens a circuit when the ratio is reached: 0 would open it without a failed call
	maxRate        = 10_000_000
	maxConcurrency = 10_000_000
	maxWindowMS    = 600_000
	maxGriefS      = 31_536_000 // a year
)

// Validate returns a *FieldError for the first member at fault.
func (r *Rules) Validate() error {
	if err := r.validateLists(); err != nil {
		return err
	}
	for i, rule := range r.CircuitBreaker {
		if err := rule.validate(fmt.Sprintf("circuit_breaker[%d]", i)); err != nil {
			return err
		}
	}
	if err := r.Grief.validate(); err != nil {
		return err
	}
	if err := r.Buyer.validate("buyer"); err != nil {
		return err
	}
	return r.Address.validate("address")
}

func (r *Rules) validateLists() error {
	switch {
	case len(r.Flow) > maxRulesEach:
		return Fieldf("flow", "must hold at most %d rules", maxRulesEach)
	case len(r.Isolation) > maxRulesEach:
		return Fieldf("isolation", "must hold at most %d rules", maxRulesEach)
	case len(r.CircuitBreaker) > maxRulesEach:
		return Fieldf("circuit_breaker", "must hold at most %d rules", maxRulesEach)
	}
	for i, rule := range r.Flow {
		if !routeResource(rule.Resource) {
			return Fieldf(fmt.Sprintf("flow[%d].resource", i), "must be purchase, orders or sale")
		}
		if !(rule.QPS == 0 || rule.QPS >= 1 && rule.QPS <= maxRate) {
			return Fieldf(fmt.Sprintf("flow[%d].qps", i), "must be 1 to %d, or 0 to refuse everything, as less than 1 would too",
				maxRate)
		}
	}
	for i, rule := range r.Isolation {
		if !routeResource(rule.Resource) {
			return Fieldf(fmt.Sprintf("isolation[%d].resource", i), "must be purchase, orders or sale")
		}
		if rule.Concurrency < 1 || rule.Concurrency > maxConcurrency {
			return Fieldf(fmt.Sprintf("isolation[%d].concurrency", i), "must be 1 to %d", maxConcurrency)
		}
	}
	return nil
}

func (b BreakerRule) validate(at string) error {
	ratio := b.Strategy == StrategySlowRatio || b.Strategy == StrategyErrorRatio
	switch {
	case b.Resource != ResourceRedis && b.Resource != ResourceKafka && b.Resource != ResourceMySQL:
		return Fieldf(at+".resource", "must be redis, kafka or mysql")
	case !ratio && b.Strategy != StrategyErrorCount:
		return Fieldf(at+".strategy", "must be slow_ratio, error_ratio or error_count")
	case ratio && !(b.Threshold >= minRatio && b.Threshold <= 1):
		return Fieldf(at+".threshold", "must be %g to 1 for %s, since 0 opens the circuit of a healthy store; "+
			"error_count with threshold 1 opens it at any error", minRatio, b.Strategy)
	case !ratio && !(b.Threshold >= 1 && b.Threshold <= maxRate):
		return Fieldf(at+".threshold", "must be 1 to %d for %s", maxRate, b.Strategy)
	case b.Strategy == StrategySlowRatio && (b.MaxRTMillis < 1 || b.MaxRTMillis > maxWindowMS):
		return Fieldf(at+".max_rt_ms", "must be 1 to %d for %s", maxWindowMS, b.Strategy)
	case b.WindowMS < 100 || b.WindowMS > maxWindowMS:
		return Fieldf(at+".window_ms", "must be 100 to %d", maxWindowMS)
	case b.MinRequests < 1 || b.MinRequests > maxRate:
		return Fieldf(at+".min_requests", "must be 1 to %d", maxRate)
	case b.RetryMS < 1 || b.RetryMS > maxWindowMS:
		return Fieldf(at+".retry_ms", "must be 1 to %d", maxWindowMS)
	}
	return nil
}

func (l *Limit) validate(at string) error {
	switch {
	case l == nil:
		return nil
	case !(l.PerSecond >= minRate && l.PerSecond <= maxRate):
		return Fieldf(at+".per_second", "must be %g to %d; null is no limit", minRate, maxRate)
	case l.Burst < 1 || l.Burst > maxRate:
		return Fieldf(at+".burst", "must be 1 to %d", maxRate)
	}
	return nil
}

func routeResource(name string) bool {
	return name == ResourcePurchase || name == ResourceOrders || name == ResourceSale
}
