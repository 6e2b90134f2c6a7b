package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestFlowRuleOfPurchases(t *testing.T) {
	s := newScene(t).open(autumn())
	rules(sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 0}}})(s)
	s.refused(s.press("ann", ""), sale.OutcomeRateLimited, nil)
	require.Empty(t, s.stock.purchases())
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status, "other resources are free")

	rules(sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 100000}}})(s)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	rules(sale.Rules{})(s)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	require.Nil(t, s.gateway.purchases.ruled.Load(), "without rules Sentinel is not asked")
}

// The Stock decides by the rule of the catalogue: the default until another one is known.
func TestGriefGoesWithThePurchase(t *testing.T) {
	s := newScene(t).open(autumn())
	var asked sale.Grief
	s.stock.set(func(f *fakeStock) {
		f.decide = func(p sale.Purchase) sale.Answer {
			asked = p.Grief
			return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 1, CreatedAt: noon}
		}
	})
	s.press("ann", "")
	require.Equal(t, sale.Grief{Unpaid: 3, WindowS: 86_400 + 900 + 60}, asked, "orders count from when they expire")
	for _, rule := range []sale.Grief{{Unpaid: 2, WindowS: 60}, {}} {
		rules(sale.Rules{Grief: rule})(s)
		s.press("ann", "")
		require.Equal(t, rule.ForSale(900), asked)
	}
	s.open(autumn(func(s *sale.Sale) { s.ID = "winter" }))
	s.press("ann", "")
	require.Equal(t, sale.Grief{}, asked, "other changes leave the rule as it is")
}

func TestFlowRulesOfReaders(t *testing.T) {
	s := newScene(t).open(autumn())
	rules(sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourceOrders, QPS: 0}, {Resource: sale.ResourceSale, QPS: 0}}})(s)
	for _, path := range []string{phoneOrders, phoneOrders + "/7", "/v1/sales/autumn", "/v1/time"} {
		s.refused(s.get(path, "ann"), sale.OutcomeRateLimited, nil)
	}
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	require.Equal(t, http.StatusOK, s.send("GET", "/livez", "").status)
}

func TestIsolationRule(t *testing.T) {
	s := newScene(t).open(autumn())
	rules(sale.Rules{Isolation: []sale.IsolationRule{{Resource: sale.ResourcePurchase, Concurrency: 1}}})(s)
	release, entered := make(chan struct{}), make(chan struct{})
	s.stock.set(func(f *fakeStock) {
		f.decide = func(p sale.Purchase) sale.Answer {
			if p.Buyer == "slow" {
				close(entered)
				<-release
			}
			return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 1, CreatedAt: noon}
		}
	})
	slow := make(chan response, 1)
	go func() { slow <- s.press("slow", "") }()
	<-entered
	s.refused(s.press("ann", ""), sale.OutcomeOverloaded, nil)
	close(release)
	require.Equal(t, http.StatusAccepted, (<-slow).status)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status, "the request has ended")
}

func TestBreakerOfTheDatabase(t *testing.T) {
	s := newScene(t).open(autumn())
	rules(sale.Rules{CircuitBreaker: []sale.BreakerRule{{
		Resource: sale.ResourceMySQL, Strategy: sale.StrategyErrorCount, Threshold: 2, WindowMS: 60000, MinRequests: 1,
		RetryMS: 60000,
	}}})(s)
	s.database.set(func(b *fakeDatabase) { b.failing = errAway })
	for range 5 {
		s.refused(s.get(phoneOrders+"/7", "ann"), sale.OutcomeUnavailable, nil)
	}
	require.Less(t, s.database.queries.Load(), int64(5), "the open circuit spares the database")
	_, ok := s.gateway.breakers.Enter(sale.ResourceMySQL)
	require.False(t, ok)
	s.database.set(func(b *fakeDatabase) { b.failing = nil; b.rows[7] = rowOf(7, sale.StatusConfirmed) })
	rules(sale.Rules{})(s)
	require.Equal(t, http.StatusOK, s.get(phoneOrders+"/7", "ann").status)
}

func TestBreakersOfStores(t *testing.T) {
	strategies := []sale.BreakerRule{
		{Strategy: sale.StrategyErrorRatio, Threshold: 0.5}, {Strategy: sale.StrategyErrorCount, Threshold: 2},
		{Strategy: sale.StrategySlowRatio, Threshold: 0.1, MaxRTMillis: 1},
	}
	for _, resource := range []string{sale.ResourceRedis, sale.ResourceKafka, sale.ResourceMySQL} {
		for _, rule := range strategies {
			t.Run(resource+"/"+rule.Strategy, func(t *testing.T) {
				b, err := NewBreakers()
				require.NoError(t, err)
				rule.Resource, rule.WindowMS, rule.MinRequests, rule.RetryMS = resource, 60001, 2, 50
				require.NoError(t, b.Load(sale.Rules{CircuitBreaker: []sale.BreakerRule{rule}}))
				defer func() { require.NoError(t, b.Load(sale.Rules{})) }()
				for range 6 {
					if exit, ok := b.Enter(resource); ok {
						if rule.Strategy == sale.StrategySlowRatio {
							<-time.After(3 * time.Millisecond)
						}
						exit(errAway)
					}
				}
				_, ok := b.Enter(resource)
				require.False(t, ok, "the circuit is open")
				require.Eventually(t, func() bool {
					exit, ok := b.Enter(resource)
					if ok {
						exit(nil)
					}
					return ok
				}, 10*time.Second, 5*time.Millisecond, "after its time it lets one try")
			})
		}
	}
}

func TestEqualRulesAreNotLoadedAgain(t *testing.T) {
	b, err := NewBreakers()
	require.NoError(t, err)
	set := sale.Rules{Version: 1, Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 3}}}
	require.NoError(t, b.Load(set))
	defer func() { require.NoError(t, b.Load(sale.Rules{})) }()
	passed := 0
	for range 20 {
		set.Version++
		require.NoError(t, b.Load(set))
		if p, _, ok := b.routes[sale.ResourcePurchase].enter(); ok {
			passed++
			p.leave()
		}
	}
	require.LessOrEqual(t, passed, 6, "a reload does not forget what was counted")
}

func TestUnknownResourceIsNotLimited(t *testing.T) {
	b, err := NewBreakers()
	require.NoError(t, err)
	exit, ok := b.Enter("disk")
	require.True(t, ok)
	exit(errors.New("any"))
}

func TestBuyerLimit(t *testing.T) {
	s := newScene(t).open(autumn())
	rules(sale.Rules{Buyer: &sale.Limit{PerSecond: 0.01, Burst: 2}})(s)
	for range 2 {
		require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	}
	s.refused(s.press("ann", ""), sale.OutcomeRateLimited, nil)
	require.Equal(t, http.StatusAccepted, s.press("bob", "").status)
	for _, path := range []string{phoneOrders, phoneOrders + "/7"} {
		s.refused(s.get(path, "ann"), sale.OutcomeRateLimited, nil) // on every route with a token
	}
	s.refused(s.send(http.MethodDelete, phoneOrders+"/7", "", bearer("ann")), sale.OutcomeRateLimited, nil)

	rules(sale.Rules{Buyer: &sale.Limit{PerSecond: 0.01, Burst: 2}, Address: &sale.Limit{PerSecond: 1000, Burst: 1000}})(s)
	s.refused(s.press("ann", ""), sale.OutcomeRateLimited, nil) // an unchanged limit keeps its counts
	rules(sale.Rules{})(s)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
}

func TestAddressLimit(t *testing.T) {
	s := newScene(t, func(o *Options,
		_ *Deps) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}).open(autumn())
	rules(sale.Rules{Address: &sale.Limit{PerSecond: 0.01, Burst: 1}})(s)
	from := func(addresses string) response { return s.press("ann", "", "X-Forwarded-For: "+addresses) }
	require.Equal(t, http.StatusAccepted, from("203.0.113.7").status)
	s.refused(from("203.0.113.7"), sale.OutcomeRateLimited, nil)
	s.refused(from("198.51.100.1, 203.0.113.7"), sale.OutcomeRateLimited, nil)
	require.Equal(t, http.StatusAccepted, from("203.0.113.7, 203.0.113.8, 127.0.0.9").status)
	require.Equal(t, http.StatusAccepted, from("2001:db8:0:1::1").status)
	s.refused(from("2001:db8:0:1:ffff::2"), sale.OutcomeRateLimited, nil)
	require.Equal(t, http.StatusAccepted, from("2001:db8:0:2::1").status)
}

// TestRetryAfterReachesUpToTheNextToken: an app that obeys Retry-After is not refused again.
func TestRetryAfterReachesUpToTheNextToken(t *testing.T) {
	s := newScene(t).open(autumn())
	for name, c := range map[string]struct {
		perSecond   float64
		least, most int
	}{
		"fast": {5, 1, 3}, "ten seconds": {0.1, 10, 12}, "the slowest": {0.001, 1000, 1002},
		"beyond the bound": {1e-6, 3600, 3600},
	} {
		limit := &sale.Limit{PerSecond: c.perSecond, Burst: 1}
		for kind, set := range map[string]sale.Rules{"buyer": {Buyer: limit}, "address": {Address: limit}} {
			rules(set)(s)
			path := phoneOrders + "/7"
			var r response
			require.Eventually(t, func() bool { // the fast one has a token again sometimes
				r = s.get(path, "ann")
				return r.status == http.StatusTooManyRequests
			}, 10*time.Second, time.Millisecond)
			s.refused(r, sale.OutcomeRateLimited, nil)
			seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
			require.NoError(t, err)
			require.GreaterOrEqual(t, seconds, c.least, "%s, %s", name, kind)
			require.LessOrEqual(t, seconds, c.most, "%s, %s", name, kind)
			if c.perSecond < 1 {
				seconds, err = strconv.Atoi(s.press("ann", "").header.Get("Retry-After"))
				require.NoError(t, err)
				require.GreaterOrEqual(t, seconds, c.least-5, "%s, %s", name, kind) // time has passed since
			}
		}
	}
}

// TestRulesRunWithinASecond runs the real role.
func TestRulesRunWithinASecond(t *testing.T) {
	s := newScene(t).open(autumn())
	s.run()
	s.database.rules(sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 0}}})
	require.Eventually(t, func() bool { return s.press("ann", "").status == http.StatusTooManyRequests }, time.Second,
		5*time.Millisecond)
	s.database.rules(sale.Rules{})
	require.Eventually(t, func() bool { return s.press("ann", "").status == http.StatusAccepted }, time.Second,
		5*time.Millisecond)
}

func TestLimiterIsATokenBucket(t *testing.T) {
	second := int64(time.Second)
	l := newLimiter(sale.Limit{PerSecond: 2, Burst: 3}, 8)
	for i, step := range []struct {
		at   int64
		wait time.Duration // 0: a token is taken
	}{
		{0, 0}, {0, 0}, {0, 0}, {0, time.Second / 2}, {second/2 - 1, 1}, {second / 2, 0}, {second / 2, time.Second / 2},
		{10 * second, 0}, {10 * second, 0}, {10 * second, 0}, {10*second + 1, time.Second/2 - 1},
	} {
		require.Equal(t, step.wait, l.take(1, step.at), "step %d", i)
	}
}

// TestLimiterForgetsTheLongestIdle: beyond its bound the limiter forgets, and never grows.
func TestLimiterForgetsTheLongestIdle(t *testing.T) {
	l := newLimiter(sale.Limit{PerSecond: 1, Burst: 1}, limitWays)
	require.Len(t, l.sets, 1)
	for key := range uint64(limitWays) {
		require.Zero(t, l.take(key+1, int64(key)))
	}
	require.Positive(t, l.take(1, 10), "the limiter has every key")
	require.Zero(t, l.take(100, 11), "the newcomer takes the place of the first")
	require.Positive(t, l.take(2, 12))
	require.Zero(t, l.take(1, 13))
}

func TestExtremeLimits(t *testing.T) {
	for _, limit := range []sale.Limit{{PerSecond: 1e-12, Burst: 10_000_000}, {PerSecond: 10_000_000, Burst: 1},
		{PerSecond: 10_000_000, Burst: 10_000_000}} {
		l := newLimiter(limit, 8)
		for i := range int64(100) {
			require.Zero(t, l.take(1, i*1000), fmt.Sprint(limit))
		}
	}
	l := newLimiter(sale.Limit{PerSecond: 1e-12, Burst: 1}, 8)
	require.Zero(t, l.take(1, 0))
	require.Positive(t, l.take(1, int64(365*24*time.Hour)))
}

func TestAddresses(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	peer := netip.MustParseAddr("10.0.0.1")
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{nil, "10.0.0.1"}, {[]string{""}, "10.0.0.1"}, {[]string{"203.0.113.9"}, "203.0.113.9"},
		{[]string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"}, {[]string{"203.0.113.9, 10.2.3.4"}, "203.0.113.9"},
		{[]string{"203.0.113.9", "10.2.3.4"}, "203.0.113.9"}, {[]string{"1.1.1.1", "203.0.113.9"}, "203.0.113.9"},
		{[]string{"10.9.9.9, 10.2.3.4"}, "10.9.9.9"}, {[]string{"203.0.113.9:5678"}, "203.0.113.9"},
		{[]string{"[2001:db8::1]:443"}, "2001:db8::1"}, {[]string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{[]string{"203.0.113.9, unknown, 10.2.3.4"}, "203.0.113.9"},
		{[]string{"203.0.113.9, [2001:db8::1]"}, "203.0.113.9"}, {[]string{"203.0.113.9, , 10.2.3.4,"}, "203.0.113.9"},
		{[]string{"203.0.113.9", "", "unknown"}, "203.0.113.9"}, {[]string{"unknown, 10.2.3.4"}, "10.2.3.4"},
		{[]string{"_hidden, 203.0.113.9, 10.2.3.4:80"}, "203.0.113.9"}, {[]string{"unknown"}, "10.0.0.1"},
		{[]string{","}, "10.0.0.1"},
		{[]string{"203.0.113.9, fd00::5"}, "203.0.113.9"},
	} {
		var lines [][]byte
		for _, line := range c.lines {
			lines = append(lines, []byte(line))
		}
		require.Equal(t, netip.MustParseAddr(c.want), nearestUntrusted(peer, lines, trusted), "%q", c.lines)
	}
	require.Equal(t, subscriber(nil, netip.MustParseAddr("2001:db8:1:2::1")),
		subscriber(nil, netip.MustParseAddr("2001:db8:1:2:ffff::9")))
	require.NotEqual(t, subscriber(nil, netip.MustParseAddr("2001:db8:1:2::1")),
		subscriber(nil, netip.MustParseAddr("2001:db8:1:3::1")))
	require.Len(t, subscriber(nil, netip.MustParseAddr("203.0.113.9")), 4)
}

// TestAddressLimitCountsBeforeTheToken: a client that guesses tokens uses up its address's limit on every route with a token.
func TestAddressLimitCountsBeforeTheToken(t *testing.T) {
	for name, ask := range map[string]func(*scene, string) response{
		"press":  func(s *scene, token string) response { return s.send("POST", phoneOrders, "", token) },
		"orders": func(s *scene, token string) response { return s.send("GET", phoneOrders, "", token) },
		"order":  func(s *scene, token string) response { return s.send("GET", phoneOrders+"/7", "", token) },
		"cancel": func(s *scene, token string) response { return s.send("DELETE", phoneOrders+"/7", "", token) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t).open(autumn())
			rules(sale.Rules{Address: &sale.Limit{PerSecond: 0.01, Burst: 2}})(s)
			for range 2 {
				s.refused(ask(s, "Authorization: Bearer a.b.c"), sale.OutcomeUnauthenticated, nil)
			}
			s.refused(ask(s, "Authorization: Bearer a.b.c"), sale.OutcomeRateLimited, nil)
			s.refused(ask(s, bearer("ann")), sale.OutcomeRateLimited, nil)
		})
	}
}

// TestEditingABreakerKeepsItsCircuitOpen: a rule is edited most when its store is in trouble.
func TestEditingABreakerKeepsItsCircuitOpen(t *testing.T) {
	b, err := NewBreakers()
	require.NoError(t, err)
	rule := sale.BreakerRule{
		Resource: sale.ResourceMySQL, Strategy: sale.StrategyErrorCount, Threshold: 2, WindowMS: 60000, MinRequests: 1,
		RetryMS: 60000,
	}
	other := sale.BreakerRule{
		Resource: sale.ResourceKafka, Strategy: sale.StrategyErrorCount, Threshold: 2, WindowMS: 60000, MinRequests: 1,
		RetryMS: 60000,
	}
	load := func(rules ...sale.BreakerRule) { require.NoError(t, b.Load(sale.Rules{CircuitBreaker: rules})) }
	load(rule, other)
	defer load()
	openCircuit(t, b, sale.ResourceMySQL)
	openCircuit(t, b, sale.ResourceKafka)

	edited := rule
	edited.Threshold, edited.RetryMS = 5, 50
	load(edited, other)
	require.False(t, enters(b, sale.ResourceMySQL), "the edited rule's circuit stays open for its time")
	require.False(t, enters(b, sale.ResourceKafka), "and so does that of an unchanged rule")
	load(other, edited, edited)
	require.False(t, enters(b, sale.ResourceMySQL), "also when it is edited again")
	load(other)
	require.True(t, enters(b, sale.ResourceMySQL), "without a rule there is no circuit")
	load(rule, other)
	require.True(t, enters(b, sale.ResourceMySQL), "and a rule that is added again begins anew")
	require.False(t, enters(b, sale.ResourceKafka))
}

// TestEditedBreakerLetsThroughAfterItsTime: the circuit closes when the old rule would have retried.
func TestEditedBreakerLetsThroughAfterItsTime(t *testing.T) {
	b, err := NewBreakers()
	require.NoError(t, err)
	rule := sale.BreakerRule{
		Resource: sale.ResourceRedis, Strategy: sale.StrategyErrorCount, Threshold: 2, WindowMS: 60000, MinRequests: 1,
		RetryMS: 200,
	}
	require.NoError(t, b.Load(sale.Rules{CircuitBreaker: []sale.BreakerRule{rule}}))
	defer func() { require.NoError(t, b.Load(sale.Rules{})) }()
	openCircuit(t, b, sale.ResourceRedis)
	rule.Threshold, rule.WindowMS = 100, 50000
	require.NoError(t, b.Load(sale.Rules{CircuitBreaker: []sale.BreakerRule{rule}}))
	require.Eventually(t, func() bool { return enters(b, sale.ResourceRedis) }, 10*time.Second, 5*time.Millisecond)
}

// openCircuit makes calls fail until the store's circuit is open.
func openCircuit(t *testing.T, b *Breakers, resource string) {
	t.Helper()
	for range 5 {
		if exit, ok := b.Enter(resource); ok {
			exit(errAway)
		}
	}
	require.False(t, enters(b, resource), "the circuit is open")
}

// enters reports whether the circuit allows a call of the store, and ends that call with success.
func enters(b *Breakers, resource string) bool {
	exit, ok := b.Enter(resource)
	if ok {
		exit(nil)
	}
	return ok
}

func TestForwardedForOfStrangersIsIgnored(t *testing.T) {
	s := newScene(t).open(autumn())
	rules(sale.Rules{Address: &sale.Limit{PerSecond: 0.01, Burst: 1}})(s)
	require.Equal(t, http.StatusAccepted, s.press("ann", "", "X-Forwarded-For: 203.0.113.7").status)
	s.refused(s.press("ann", "", "X-Forwarded-For: 203.0.113.8"), sale.OutcomeRateLimited, nil)
}

func TestFollowReportsFailures(t *testing.T) {
	s := newScene(t)
	s.database.set(func(b *fakeDatabase) { b.failing = errAway })
	require.ErrorIs(t, s.gateway.pollCatalogue(context.Background()), errAway)
}
