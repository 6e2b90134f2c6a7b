package gateway

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// guardWith returns the guard of purchases under rules, which end with the test.
func guardWith(t *testing.T, rules sale.Rules) (*guard, *Breakers) {
	t.Helper()
	b, err := NewBreakers()
	require.NoError(t, err)
	require.NoError(t, b.Load(rules))
	t.Cleanup(func() { require.NoError(t, b.Load(sale.Rules{})) })
	return b.routes[sale.ResourcePurchase], b
}

func flowOf(qps float64) sale.Rules {
	return sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: qps}}}
}

func isolationOf(most uint32) sale.Rules {
	return sale.Rules{Isolation: []sale.IsolationRule{{Resource: sale.ResourcePurchase, Concurrency: most}}}
}

func TestRulesAreAskedAheadForNoMoreThanTheyBear(t *testing.T) {
	for qps, batch := range map[float64]uint32{0: 1, 0.5: 1, 999: 1, 1999: 1, 2000: 2, 5000: 5, 64000: 64, 1e12: 64} {
		g, _ := guardWith(t, flowOf(qps))
		require.Equal(t, batch, g.ruled.Load().flow.batch, "%v a second", qps)
	}
	both := flowOf(5000)
	both.Flow = append(both.Flow, sale.FlowRule{Resource: sale.ResourcePurchase, QPS: 3000},
		sale.FlowRule{Resource: sale.ResourceSale, QPS: 1})
	g, _ := guardWith(t, both)
	require.Equal(t, uint32(3), g.ruled.Load().flow.batch, "the narrowest rule of the route")
	require.Zero(t, g.ruled.Load().inside.batch)
	g, _ = guardWith(t, isolationOf(20_000))
	require.Equal(t, uint32(20), g.ruled.Load().inside.batch)
}

// TestFlowRuleAllowsItsNumber: batches and repeated refusals do not change the number of allowed requests.
func TestFlowRuleAllowsItsNumber(t *testing.T) {
	for _, qps := range []int{7, 500, 5000, 20_000} {
		g, b := guardWith(t, flowOf(float64(qps)))
		quietSecond(t, g)
		window := time.Now().UnixMilli() / int64(g.window)
		passed := 0
		for range 3 * qps {
			if p, refusal, ok := g.enter(); ok {
				passed++
				p.leave()
			} else {
				require.Equal(t, sale.OutcomeRateLimited, refusal)
			}
		}
		if time.Now().UnixMilli()/int64(g.window) == window { // else a new window began, and let more pass
			require.Equal(t, qps, passed)
		}
		require.NoError(t, b.Load(sale.Rules{}))
	}
}

// quietSecond waits until nothing that passed before counts any more, at the beginning of a window.
func quietSecond(t *testing.T, g *guard) {
	t.Helper()
	require.Eventually(t, func() bool {
		return g.node.GetQPS(0) == 0 && time.Now().UnixMilli()%int64(g.window) < int64(g.window)/4
	}, 10*time.Second, time.Millisecond)
}

// TestIsolationRuleAllowsItsNumberInside also with batches, and while requests begin and end.
func TestIsolationRuleAllowsItsNumberInside(t *testing.T) {
	for _, most := range []int{1, 700, 5000} {
		g, b := guardWith(t, isolationOf(uint32(most)))
		var inside []permit
		for range most {
			p, _, ok := g.enter()
			require.True(t, ok, "%d of %d are inside", len(inside), most)
			inside = append(inside, p)
		}
		_, refusal, ok := g.enter()
		require.False(t, ok)
		require.Equal(t, sale.OutcomeOverloaded, refusal)
		for _, p := range inside {
			p.leave()
			again, _, ok := g.enter()
			require.True(t, ok)
			again.leave()
		}
		require.Zero(t, g.node.CurrentConcurrency())
		require.NoError(t, b.Load(sale.Rules{}))
	}
}

func TestIsolationRuleIsAskedAgainWhenSomebodyLeaves(t *testing.T) {
	g, _ := guardWith(t, isolationOf(2))
	first, _, ok := g.enter()
	require.True(t, ok)
	second, _, ok := g.enter()
	require.True(t, ok)
	for range 3 {
		_, refusal, ok := g.enter()
		require.False(t, ok)
		require.Equal(t, sale.OutcomeOverloaded, refusal)
	}
	first.leave()
	third, _, ok := g.enter()
	require.True(t, ok)
	second.leave()
	third.leave()
	require.Zero(t, g.node.CurrentConcurrency())
}

// TestIsolationRuleIsNeverStuck: a refusal while requests end does not last after the end of all of them.
func TestIsolationRuleIsNeverStuck(t *testing.T) {
	g, _ := guardWith(t, isolationOf(2))
	var crowd sync.WaitGroup
	var refused atomic.Int64
	for range 8 {
		crowd.Go(func() {
			for range 5000 {
				if p, _, ok := g.enter(); ok {
					p.leave()
				} else {
					refused.Add(1)
				}
			}
		})
	}
	crowd.Wait()
	p, _, ok := g.enter()
	require.True(t, ok, "after %d refusals", refused.Load())
	p.leave()
	require.Zero(t, g.node.CurrentConcurrency())
}

func TestBothRulesRefuseInTheContractsOrder(t *testing.T) {
	set := isolationOf(1)
	g, b := guardWith(t, set)
	inside, _, ok := g.enter()
	require.True(t, ok)
	defer inside.leave()
	set.Flow = flowOf(0).Flow
	require.NoError(t, b.Load(set))
	for range 2 {
		_, refusal, ok := g.enter()
		require.False(t, ok)
		require.Equal(t, sale.OutcomeRateLimited, refusal)
	}
	set.Flow = flowOf(1e9).Flow
	require.NoError(t, b.Load(set))
	for range 2 {
		_, refusal, ok := g.enter()
		require.False(t, ok)
		require.Equal(t, sale.OutcomeOverloaded, refusal, "new rules forget the refusals of the old ones")
	}
}

func TestPassesOfBeforeTheRulesCountForNobody(t *testing.T) {
	g, b := guardWith(t, sale.Rules{})
	before, _, ok := g.enter()
	require.True(t, ok)
	require.NoError(t, b.Load(isolationOf(1)))
	p, _, ok := g.enter()
	require.True(t, ok)
	before.leave()
	_, _, ok = g.enter()
	require.False(t, ok, "the one inside still is")
	p.leave()
	require.Zero(t, g.node.CurrentConcurrency())
}
