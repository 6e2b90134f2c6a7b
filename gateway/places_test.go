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

// TestWaitsKeepNoBuyerOut: whoever waits longest is answered with the order as it is, and so makes room. Their clients may be
// gone, as a phone's that has lost its network.
func TestWaitsKeepNoBuyerOut(t *testing.T) {
	s := newScene(t).open(autumn())
	s.hold("ann", sale.Holding{OrderID: 7, Quantity: 1, CreatedAt: noon, Status: sale.StatusQueued})
	answers := make([]chan response, placesPerBuyer)
	for i := range answers {
		answers[i] = s.ask(phoneOrders+"/7?wait=30s", "ann")
		s.waiting(i + 1)
	}
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status)
	r := <-answers[0]
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "queued", r.members(t)["status"])
	s.waiting(placesPerBuyer - 1)

	last := s.ask(phoneOrders+"/7?wait=30s", "ann") // takes the place that is free again
	s.waiting(placesPerBuyer)
	s.problem(s.send(http.MethodDelete, phoneOrders+"/7", "", bearer("ann")), http.StatusConflict, codeNotConfirmed,
		"The order is not confirmed yet", nil)
	require.Equal(t, "queued", (<-answers[1]).members(t)["status"])
	s.waiting(placesPerBuyer - 1)

	s.store(rowOf(7, sale.StatusConfirmed))
	require.NoError(t, s.gateway.waiters.rowsTurn(t.Context()))
	for _, answer := range []chan response{answers[2], answers[3], last} {
		require.Equal(t, "confirmed", (<-answer).members(t)["status"])
	}
	require.Eventually(t, func() bool { return s.gateway.places.count() == 0 }, 10*time.Second, time.Millisecond)
}

// TestBuyerHasFewReadsUnderWay: beyond them, where none of them waits, he is refused, and nobody else is.
func TestBuyerHasFewReadsUnderWay(t *testing.T) {
	s := newScene(t).open(autumn())
	var busy [placesPerBuyer]*place
	for i := range busy {
		busy[i] = s.gateway.places.enter("ann")
	}
	for _, path := range []string{phoneOrders, phoneOrders + "/7", phoneOrders + "/7?wait=1s"} {
		s.refused(s.get(path, "ann"), sale.OutcomeRateLimited, nil)
	}
	s.refused(s.send(http.MethodDelete, phoneOrders+"/7", "", bearer("ann")), sale.OutcomeRateLimited, nil)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status, "a press takes no place")
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "bob").status)
	for _, one := range busy {
		s.gateway.places.leave(one)
	}
	require.Zero(t, s.gateway.places.count())
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

// TestPlacesAreCountedExactly under many goroutines, some of whom wait: never more than the bound, and none is left behind.
func TestPlacesAreCountedExactly(t *testing.T) {
	p := newPlaces()
	var crowd sync.WaitGroup
	for i := range 16 {
		crowd.Go(func() {
			buyer := fmt.Sprintf("buyer-%d", i%3)
			for n := range 2000 {
				one := p.enter(buyer)
				if one == nil {
					continue
				}
				if n%3 == 0 {
					p.wait(one)
				}
				if most := p.most(); most > placesPerBuyer {
					panic(fmt.Sprint(most))
				}
				p.leave(one)
			}
		})
	}
	crowd.Wait()
	require.Zero(t, p.count())
	var all [placesPerBuyer]*place
	for i := range all {
		all[i] = p.enter("ann")
		require.NotNil(t, all[i])
	}
	require.Nil(t, p.enter("ann"))
	p.leave(all[3])
	require.NotNil(t, p.enter("ann"))
	require.Nil(t, p.enter("ann"))
	require.Equal(t, 1, p.count())
}

// TestLongestWaiterIsWokenFirst, once, and what he leaves is not another's place.
func TestLongestWaiterIsWokenFirst(t *testing.T) {
	p := newPlaces()
	woken := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	reads, first, second := p.enter("ann"), p.enter("ann"), p.enter("ann")
	also := p.enter("ann")
	later, sooner := p.wait(second), p.wait(first)
	require.NotNil(t, p.enter("ann"))
	require.True(t, woken(sooner))
	require.False(t, woken(later))
	require.True(t, woken(p.wait(first)), "a second wait of the same request ends at once")
	p.leave(first)
	require.NotNil(t, p.enter("ann"), "the second gives way: the first had nothing left to give back")
	require.True(t, woken(later))
	require.Nil(t, p.enter("ann"), "nobody waits any more")
	require.Equal(t, placesPerBuyer, p.most())
	for _, one := range []*place{reads, second, also} {
		p.leave(one)
	}
	require.Equal(t, 2, p.most())
}

// most returns how many requests the busiest buyer has under way.
func (p *places) most() (most int) {
	for i := range p.shards {
		p.shards[i].Lock()
		for _, taken := range p.shards[i].taken {
			most = max(most, len(taken))
		}
		p.shards[i].Unlock()
	}
	return most
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
