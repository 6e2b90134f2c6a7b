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

// TestWaitsKeepNoBuyerOut: a new request ends the longest wait, which gets the present order, because the client of that wait
// may be gone, like a phone that has lost its network.
func TestWaitsKeepNoBuyerOut(t *testing.T) {
	s := newScene(t).open(autumn())
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
	answers := make([]chan response, requestsPerBuyer)
	for i := range answers {
		answers[i] = s.ask(phoneOrders+"/7?wait=30s", "ann")
		s.waiting(i + 1)
	}
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status)
	r := <-answers[0]
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "queued", r.members(t)["status"])
	s.waiting(requestsPerBuyer - 1)

	last := s.ask(phoneOrders+"/7?wait=30s", "ann") // one more is allowed again
	s.waiting(requestsPerBuyer)
	s.problem(s.send(http.MethodDelete, phoneOrders+"/7", "", bearer("ann")), http.StatusConflict, codeNotConfirmed,
		"The order is not confirmed yet", nil)
	require.Equal(t, "queued", (<-answers[1]).members(t)["status"])
	s.waiting(requestsPerBuyer - 1)

	s.store(rowOf(7, sale.StatusConfirmed))
	require.NoError(t, s.gateway.waiters.askRows(t.Context()))
	for _, answer := range []chan response{answers[2], answers[3], last} {
		require.Equal(t, "confirmed", (<-answer).members(t)["status"])
	}
	require.Eventually(t, func() bool { return s.gateway.buyerRequests.count() == 0 }, 10*time.Second, time.Millisecond)
}

// TestBuyerHasFewReadsUnderWay: if none of them waits, the gateway refuses one more of this buyer and none of other buyers.
func TestBuyerHasFewReadsUnderWay(t *testing.T) {
	s := newScene(t).open(autumn())
	var busy [requestsPerBuyer]*buyerRequest
	for i := range busy {
		busy[i] = s.gateway.buyerRequests.begin("ann")
	}
	for _, path := range []string{phoneOrders, phoneOrders + "/7", phoneOrders + "/7?wait=1s"} {
		s.refused(s.get(path, "ann"), sale.OutcomeRateLimited, nil)
	}
	s.refused(s.send(http.MethodDelete, phoneOrders+"/7", "", bearer("ann")), sale.OutcomeRateLimited, nil)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status, "a purchase does not count as a read")
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "bob").status)
	for _, one := range busy {
		s.gateway.buyerRequests.end(one)
	}
	require.Zero(t, s.gateway.buyerRequests.count())
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status, "the requests have ended")
}

// TestRefusedReadersEndTheirRequests: no refusal leaves a request counted.
func TestRefusedReadersEndTheirRequests(t *testing.T) {
	s := newScene(t).open(autumn())
	for range requestsPerBuyer + 1 {
		s.refused(s.get("/v1/sales/nowhere/items/phone/orders", "ann"), sale.OutcomeSaleNotFound, nil)
		s.problem(s.get(phoneOrders+"/8", "ann"), http.StatusNotFound, codeOrderNotFound, "The buyer has no such order", nil)
		require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status)
		s.problem(s.send(http.MethodDelete, phoneOrders+"/8", "", bearer("ann")), http.StatusNotFound, codeOrderNotFound,
			"The buyer has no such order", nil)
	}
	s.gateway.options.MaxReads = -1
	for range requestsPerBuyer + 1 {
		s.refused(s.get(phoneOrders, "ann"), sale.OutcomeOverloaded, nil)
	}
	require.Zero(t, s.gateway.buyerRequests.count())
	require.Zero(t, s.gateway.reads.Load())
}

// TestRequestsAreCountedExactly under many goroutines, some of which wait: never more than the bound, and none is left behind.
func TestRequestsAreCountedExactly(t *testing.T) {
	b := newBuyerRequests()
	var crowd sync.WaitGroup
	for i := range 16 {
		crowd.Go(func() {
			buyer := fmt.Sprintf("buyer-%d", i%3)
			for n := range 2000 {
				one := b.begin(buyer)
				if one == nil {
					continue
				}
				if n%3 == 0 {
					b.wait(one)
				}
				if most := b.most(); most > requestsPerBuyer {
					panic(fmt.Sprint(most))
				}
				b.end(one)
			}
		})
	}
	crowd.Wait()
	require.Zero(t, b.count())
	var all [requestsPerBuyer]*buyerRequest
	for i := range all {
		all[i] = b.begin("ann")
		require.NotNil(t, all[i])
	}
	require.Nil(t, b.begin("ann"))
	b.end(all[3])
	require.NotNil(t, b.begin("ann"))
	require.Nil(t, b.begin("ann"))
	require.Equal(t, 1, b.count())
}

// TestLongestWaiterIsWokenFirst, once, and its end removes no other request.
func TestLongestWaiterIsWokenFirst(t *testing.T) {
	b := newBuyerRequests()
	woken := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	reads, first, second := b.begin("ann"), b.begin("ann"), b.begin("ann")
	also := b.begin("ann")
	later, sooner := b.wait(second), b.wait(first)
	require.NotNil(t, b.begin("ann"))
	require.True(t, woken(sooner))
	require.False(t, woken(later))
	require.True(t, woken(b.wait(first)), "a second wait of the same request ends at once")
	b.end(first)
	require.NotNil(t, b.begin("ann"), "the second wait ends: the first request was removed already")
	require.True(t, woken(later))
	require.Nil(t, b.begin("ann"), "no request waits any more")
	require.Equal(t, requestsPerBuyer, b.most())
	for _, one := range []*buyerRequest{reads, second, also} {
		b.end(one)
	}
	require.Equal(t, 2, b.most())
}

// most returns how many requests the busiest buyer has under way.
func (b *buyerRequests) most() (most int) {
	for i := range b.shards {
		b.shards[i].Lock()
		for _, requests := range b.shards[i].underWay {
			most = max(most, len(requests))
		}
		b.shards[i].Unlock()
	}
	return most
}

// count returns how many buyers have something under way.
func (b *buyerRequests) count() (buyers int) {
	for i := range b.shards {
		b.shards[i].Lock()
		buyers += len(b.shards[i].underWay)
		b.shards[i].Unlock()
	}
	return buyers
}

// TestRefusalsOverABuyersLimitAreDelayed: a client that repeats at once must not take the gateway's time. Refusals by limits
// that all buyers share are not delayed.
func TestRefusalsOverABuyersLimitAreDelayed(t *testing.T) {
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
	require.Zero(t, s.gateway.buyerRequests.count())

	rules(sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 0}}})(s)
	soonest := time.Hour
	for range 5 {
		soonest = min(soonest, took(sale.OutcomeRateLimited))
	}
	require.Less(t, soonest, lateness)
}
