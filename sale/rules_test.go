package sale

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func validRules() Rules {
	return Rules{
		Version:   3,
		Flow:      []FlowRule{{ResourcePurchase, 5000}, {ResourceSale, 0}},
		Isolation: []IsolationRule{{ResourceOrders, 2000}},
		CircuitBreaker: []BreakerRule{
			{ResourceRedis, StrategySlowRatio, 0.5, 50, 1000, 20, 2000},
			{ResourceKafka, StrategyErrorRatio, 1, 0, 1000, 1, 1},
			{ResourceMySQL, StrategyErrorCount, 10, 0, 100, 5, 600_000},
		},
		Buyer: &Limit{5, 10}, Address: &Limit{0.5, 1},
	}
}

func TestRulesThatAreFine(t *testing.T) {
	full := validRules()
	require.NoError(t, full.Validate())
	require.NoError(t, (&Rules{}).Validate(), "no limit of any kind")
}

func TestRulesNameTheMemberAtFault(t *testing.T) {
	for field, breakIt := range map[string][]func(*Rules){
		"flow":             {func(r *Rules) { r.Flow = make([]FlowRule, maxRulesEach+1) }},
		"isolation":        {func(r *Rules) { r.Isolation = make([]IsolationRule, maxRulesEach+1) }},
		"circuit_breaker":  {func(r *Rules) { r.CircuitBreaker = make([]BreakerRule, maxRulesEach+1) }},
		"flow[1].resource": {func(r *Rules) { r.Flow[1].Resource = "redis" }, func(r *Rules) { r.Flow[1].Resource = "" }},
		"flow[0].qps": {func(r *Rules) { r.Flow[0].QPS = -1 }, func(r *Rules) { r.Flow[0].QPS = maxRate + 1 },
			func(r *Rules) { r.Flow[0].QPS = math.NaN() },
			func(r *Rules) { r.Flow[0].QPS = 0.5 }, func(r *Rules) { r.Flow[0].QPS = 0.999 }},
		"isolation[0].resource": {func(r *Rules) { r.Isolation[0].Resource = "Purchase" }},
		"isolation[0].concurrency": {func(r *Rules) { r.Isolation[0].Concurrency = 0 },
			func(r *Rules) { r.Isolation[0].Concurrency = maxConcurrency + 1 }},
		"circuit_breaker[0].resource": {func(r *Rules) { r.CircuitBreaker[0].Resource = "purchase" }},
		"circuit_breaker[1].strategy": {func(r *Rules) { r.CircuitBreaker[1].Strategy = "slow" }},
		"circuit_breaker[0].threshold": {func(r *Rules) { r.CircuitBreaker[0].Threshold = 1.1 },
			func(r *Rules) { r.CircuitBreaker[0].Threshold = -0.1 },
			func(r *Rules) { r.CircuitBreaker[0].Threshold = math.NaN() }, func(r *Rules) { r.CircuitBreaker[0].Threshold = 0 }},
		"circuit_breaker[1].threshold": {func(r *Rules) { r.CircuitBreaker[1].Threshold = 0 },
			func(r *Rules) { r.CircuitBreaker[1].Threshold = 1e-9 }},
		"circuit_breaker[2].threshold": {func(r *Rules) { r.CircuitBreaker[2].Threshold = 0.5 },
			func(r *Rules) { r.CircuitBreaker[2].Threshold = math.Inf(1) }},
		"circuit_breaker[0].max_rt_ms": {func(r *Rules) { r.CircuitBreaker[0].MaxRTMillis = 0 },
			func(r *Rules) { r.CircuitBreaker[0].MaxRTMillis = math.MaxUint64 }},
		"circuit_breaker[2].window_ms": {func(r *Rules) { r.CircuitBreaker[2].WindowMS = 99 },
			func(r *Rules) { r.CircuitBreaker[2].WindowMS = math.MaxUint32 }},
		"circuit_breaker[2].min_requests": {func(r *Rules) { r.CircuitBreaker[2].MinRequests = 0 }},
		"circuit_breaker[1].retry_ms": {func(r *Rules) { r.CircuitBreaker[1].RetryMS = 0 },
			func(r *Rules) { r.CircuitBreaker[1].RetryMS = 600_001 }},
		"buyer.per_second": {func(r *Rules) { r.Buyer.PerSecond = 0 }, func(r *Rules) { r.Buyer.PerSecond = math.NaN() },
			func(r *Rules) { r.Buyer.PerSecond = 1e-9 }},
		"buyer.burst":        {func(r *Rules) { r.Buyer.Burst = 0 }},
		"address.per_second": {func(r *Rules) { r.Address.PerSecond = -5 }, func(r *Rules) { r.Address.PerSecond = maxRate + 1 }},
		"address.burst":      {func(r *Rules) { r.Address.Burst = maxRate + 1 }},
	} {
		for _, change := range breakIt {
			rules := validRules()
			change(&rules)
			var fault *FieldError
			require.True(t, errors.As(rules.Validate(), &fault), field)
			assert.Equal(t, field, fault.Field)
		}
	}
}

func TestTheFirstFaultIsNamed(t *testing.T) {
	rules := validRules()
	rules.Flow = make([]FlowRule, maxRulesEach+1)
	rules.Isolation = make([]IsolationRule, maxRulesEach+1)
	rules.Buyer.Burst = 0
	for range 20 { // the same fault each time
		var fault *FieldError
		require.True(t, errors.As(rules.Validate(), &fault))
		require.Equal(t, "flow", fault.Field)
	}
}

// TestRatioOfZeroNamesTheWay: the error for a ratio of 0 names the rule that opens the circuit at any error.
func TestRatioOfZeroNamesTheWay(t *testing.T) {
	rules := validRules()
	rules.CircuitBreaker[1].Threshold = 0
	require.ErrorContains(t, rules.Validate(), "error_count with threshold 1")
	rules = validRules()
	rules.Flow[0].QPS = 0
	require.NoError(t, rules.Validate(), "a flow rule may refuse everything")
}

func TestDefaultRulesLimitTheBuyer(t *testing.T) {
	rules := DefaultRules()
	require.NoError(t, rules.Validate())
	assert.Equal(t, &Limit{PerSecond: 5, Burst: 10}, rules.Buyer)
	assert.Nil(t, rules.Address, "a whole network may share one")
}

// TestDrasticRules: a set that shuts a route or removes all rules is drastic.
func TestDrasticRules(t *testing.T) {
	full, empty := validRules(), DefaultRules()
	full.Version, full.Flow = 7, []FlowRule{{Resource: ResourcePurchase, QPS: 5}}
	stops := validRules()
	stops.Flow = []FlowRule{{Resource: ResourcePurchase, QPS: 0}}
	assert.Equal(t, "refuses every request of purchase", stops.Drastic(&full))
	assert.Equal(t, "removes every rule of the present version 7 except default limits", empty.Drastic(&full))
	nothing := Rules{}
	assert.Equal(t, "removes every rule of the present version 7 and limits nothing", nothing.Drastic(&full))
	for name, part := range map[string]func(*Rules){
		"flow":            func(r *Rules) { r.Flow = full.Flow },
		"isolation":       func(r *Rules) { r.Isolation = full.Isolation },
		"circuit_breaker": func(r *Rules) { r.CircuitBreaker = full.CircuitBreaker },
		"address":         func(r *Rules) { r.Address = full.Address },
		"buyer":           func(r *Rules) { r.Buyer = &Limit{PerSecond: 1, Burst: 1} },
		"grief":           func(r *Rules) { r.Grief = Grief{Unpaid: 1, WindowS: 60} },
	} {
		some := DefaultRules()
		part(&some)
		assert.Empty(t, some.Drastic(&full), "%s stays", name)
		assert.NotEmpty(t, empty.Drastic(&some), "%s goes", name)
	}
	assert.Empty(t, full.Drastic(&empty))
	assert.Empty(t, empty.Drastic(&empty), "there is nothing to lose")
	assert.Equal(t, "removes every rule of the present version 0 and limits nothing", nothing.Drastic(&empty))
	unlimited, forgiving := DefaultRules(), DefaultRules()
	unlimited.Buyer, forgiving.Grief = nil, Grief{}
	assert.Empty(t, unlimited.Drastic(&empty), "it removes one default limit by name and keeps the other")
	assert.Empty(t, forgiving.Drastic(&empty))
	assert.NotEmpty(t, nothing.Drastic(&unlimited), "the last limit goes")
	assert.NotEmpty(t, nothing.Drastic(&forgiving), "the last limit goes")
	assert.Empty(t, nothing.Drastic(&nothing), "there is nothing to lose")
}

// TestCrawlingLimitsAreDrastic: an operator may write seconds instead of tokens a second, which would stop the shop.
func TestCrawlingLimitsAreDrastic(t *testing.T) {
	present := DefaultRules()
	for _, c := range []struct {
		perSecond      float64
		buyer, address string
	}{
		{0.001, "allows a buyer one request in 1000 s, after the first 3",
			"allows an address one request in 1000 s, after the first 3"},
		{0.099, "allows a buyer one request in 10 s, after the first 3",
			"allows an address one request in 10 s, after the first 3"},
		{0.1, "", ""},
		{5, "", ""},
	} {
		limit := &Limit{PerSecond: c.perSecond, Burst: 3}
		ofBuyer, ofAddress := DefaultRules(), DefaultRules()
		ofBuyer.Buyer, ofAddress.Address = limit, limit
		assert.Equal(t, c.buyer, ofBuyer.Drastic(&present), "%g", c.perSecond)
		assert.Equal(t, c.address, ofAddress.Drastic(&present), "%g", c.perSecond)
	}
}

func TestGriefRanges(t *testing.T) {
	for _, good := range []Grief{{}, DefaultGrief(), {Unpaid: MaxReleased, WindowS: 1}, {WindowS: maxGriefS}} {
		rules := Rules{Grief: good}
		require.NoError(t, rules.Validate(), "%+v", good)
	}
	for bad, field := range map[Grief]string{
		{Unpaid: -1, WindowS: 1}: "grief.unpaid", {Unpaid: MaxReleased + 1, WindowS: 1}: "grief.unpaid",
		{Unpaid: 1}: "grief.window_s", {Unpaid: 1, WindowS: -1}: "grief.window_s",
		{Unpaid: 1, WindowS: maxGriefS + 1}: "grief.window_s",
	} {
		rules := Rules{Grief: bad}
		var fault *FieldError
		require.ErrorAs(t, rules.Validate(), &fault, "%+v", bad)
		require.Equal(t, field, fault.Field)
	}
}

// An order counts for the whole window after its end, even if it ends at the end of its payment time.
func TestGriefOutlastsTheTimeToPay(t *testing.T) {
	rule := Grief{Unpaid: 2, WindowS: 600}
	require.Equal(t, rule, rule.ForSale(0), "orders that never expire")
	require.Equal(t, Grief{Unpaid: 2, WindowS: 600 + 30 + 30}, rule.ForSale(MinPaymentTTL))
	require.Equal(t, Grief{Unpaid: 2, WindowS: 600 + MaxPaymentTTL + LeastToPay}, rule.ForSale(MaxPaymentTTL))
	require.Equal(t, Grief{WindowS: 600}, Grief{WindowS: 600}.ForSale(900), "a rule that is off stays off")
}

func TestEmptyRulesAreWrittenAsLists(t *testing.T) {
	var rules Rules
	rules.Normalize()
	text, err := json.Marshal(rules)
	require.NoError(t, err)
	assert.Equal(t,
		`{"version":0,"flow":[],"isolation":[],"circuit_breaker":[],"buyer":null,"address":null,"grief":{"unpaid":0,`+
			`"window_s":0}}`, string(text))
}

func TestNormalizeKeepsWhatIsThere(t *testing.T) {
	rules := validRules()
	rules.Normalize()
	assert.Equal(t, validRules(), rules)
}

func TestRulesSurviveJSON(t *testing.T) {
	text, err := json.Marshal(validRules())
	require.NoError(t, err)
	assert.NotContains(t, string(text), `"max_rt_ms":0`, "only slow_ratio has it")
	var got Rules
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, validRules(), got)
}

// No text that decodes into rules makes the validation panic, and rules that pass survive JSON.
func FuzzRules(f *testing.F) {
	text, err := json.Marshal(validRules())
	require.NoError(f, err)
	for _, seed := range [][]byte{text, []byte(`{}`), []byte(`{"buyer":{}}`),
		[]byte(`{"flow":[{"resource":"purchase","qps":1e308}]}`), []byte(`{"circuit_breaker":[{}]}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var rules, back Rules
		if json.Unmarshal(data, &rules) != nil {
			return
		}
		if err := rules.Validate(); err != nil {
			var fault *FieldError
			require.True(t, errors.As(err, &fault))
			require.NotEmpty(t, fault.Field)
			return
		}
		rules.Normalize()
		text, err := json.Marshal(rules)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, rules, back)
	})
}
