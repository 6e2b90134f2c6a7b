package gateway

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestBuyerHasFewReadsUnderWay: beyond them he is refused, and nobody else is.
func TestBuyerHasFewReadsUnderWay(t *testing.T) {
	s := newScene(t).open(autumn())
	s.hold("ann", sale.Holding{OrderID: 7, Quantity: 1, CreatedAt: noon, Status: sale.StatusQueued})
	answers := make([]chan response, placesPerBuyer)
	for i := range answers {
		answers[i] = s.ask(phoneOrders+"/7?wait=30s", "ann")
	}
	s.waiting(placesPerBuyer)
	for _, path := range []string{phoneOrders, phoneOrders + "/7", phoneOrders + "/7?wait=1s"} {
		s.refused(s.get(path, "ann"), sale.OutcomeRateLimited, nil)
	}
	s.refused(s.send(http.MethodDelete, phoneOrders+"/7", "", bearer("ann")), sale.OutcomeRateLimited, nil)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status, "a press takes no place")
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "bob").status)

	s.store(rowOf(7, sale.StatusConfirmed))
	require.NoError(t, s.gateway.waiters.rowsTurn(t.Context()))
	for _, answer := range answers {
		require.Equal(t, http.StatusOK, (<-answer).status)
	}
	require.Eventually(t, func() bool { return s.gateway.places.count() == 0 }, 10*time.Second, time.Millisecond)
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status, "the places are given back")
}

// TestRefusedReadersLeaveTheirPlaces: no way out of the ladder keeps a place.
func TestRefusedReadersLeaveTheirPlaces(t *testing.T) {
	s := newScene(t).open(autumn())
	for range placesPerBuyer + 1 {
		s.refused(s.get("/v1/sales/nowhere/items/phone/orders", "ann"), sale.OutcomeSaleNotFound, nil)
		s.problem(s.get(phoneOrders+"/8", "ann"), http.StatusNotFound, codeOrderNotFound, "The buyer has no such order", nil)
		require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status)
		s.problem(s.send(http.MethodDelete, phoneOrders+"/8", "", bearer("ann")), http.StatusNotFound, codeOrderNotFound,
			"The buyer has no such order", nil)
	}
	s.gateway.options.MaxReads = -1
	for range placesPerBuyer + 1 {
		s.refused(s.get(phoneOrders, "ann"), sale.OutcomeOverloaded, nil)
	}
	require.Zero(t, s.gateway.places.count())
	require.Zero(t, s.gateway.reads.Load())
}

// TestPlacesAreCountedExactly under many goroutines: never more than the bound, and none is left behind.
func TestPlacesAreCountedExactly(t *testing.T) {
	p := newPlaces()
	var crowd sync.WaitGroup
	for i := range 16 {
		crowd.Go(func() {
			buyer := fmt.Sprintf("buyer-%d", i%3)
			for range 2000 {
				if key, ok := p.enter(buyer); ok {
					p.leave(key)
				}
			}
		})
	}
	crowd.Wait()
	require.Zero(t, p.count())
	for range placesPerBuyer {
		_, ok := p.enter("ann")
		require.True(t, ok)
	}
	key, ok := p.enter("ann")
	require.False(t, ok)
	p.leave(key)
	_, ok = p.enter("ann")
	require.True(t, ok)
	require.Equal(t, 1, p.count())
}

// count returns how many buyers have something under way.
func (p *places) count() (buyers int) {
	for i := range p.shards {
		p.shards[i].Lock()
		buyers += len(p.shards[i].taken)
		p.shards[i].Unlock()
	}
	return buyers
}

// TestWhoIsOverHisLimitHearsSoLate: asking again as fast as one is answered is not worth the gateway's time. What refuses
// the crowd as a whole answers at once.
func TestWhoIsOverHisLimitHearsSoLate(t *testing.T) {
	s := newScene(t).open(autumn())
	took := func(o sale.Outcome) time.Duration {
		begun := time.Now()
		s.refused(s.press("ann", ""), o, nil)
		return time.Since(begun)
	}
	rules(sale.Rules{Buyer: &sale.Limit{PerSecond: 0.01, Burst: 1}})(s)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	require.GreaterOrEqual(t, took(sale.OutcomeRateLimited), lateness)
	rules(sale.Rules{Address: &sale.Limit{PerSecond: 0.01, Burst: 1}})(s)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	require.GreaterOrEqual(t, took(sale.OutcomeRateLimited), lateness)
	require.Zero(t, s.gateway.places.count())

	rules(sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 0}}})(s)
	soonest := time.Hour
	for range 5 {
		soonest = min(soonest, took(sale.OutcomeRateLimited))
	}
	require.Less(t, soonest, lateness)
}
