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

func (s *scene) cancel(id, buyer string) response {
	s.t.Helper()
	return s.send(http.MethodDelete, phoneOrders+"/"+id, "", bearer(buyer))
}

func (s *scene) cancels() int {
	var asked int
	s.database.set(func(b *fakeDatabase) { asked = b.cancels })
	return asked
}

// notCancelled requires a 409; only an order that may still be confirmed is worth another try.
func (s *scene) notCancelled(r response, code string) map[string]any {
	s.t.Helper()
	require.Equal(s.t, http.StatusConflict, r.status, r.body)
	require.Equal(s.t, "application/problem+json", r.header.Get("Content-Type"))
	require.Equal(s.t, "no-store", r.header.Get("Cache-Control"))
	members := r.members(s.t)
	require.Equal(s.t, code, members["code"])
	if code == codeNotConfirmed {
		require.Regexp(s.t, `^[123]$`, r.header.Get("Retry-After"))
	} else {
		require.Empty(s.t, r.header.Get("Retry-After"))
	}
	return members
}

func TestCancelEndsAConfirmedOrderOnce(t *testing.T) {
	s := newScene(t).open(autumn())
	s.store(rowOf(7, sale.StatusConfirmed))
	first := s.cancel("7", "ann")
	require.Equal(t, http.StatusOK, first.status, first.body)
	require.Equal(t, "no-store", first.header.Get("Cache-Control"))
	require.Equal(t, "cancelled", first.members(t)["status"])
	require.Equal(t, "buyer", first.members(t)["reason"])
	require.NotContains(t, first.members(t), "buyer_id")

	again := s.cancel("7", "ann")
	require.Equal(t, first.status, again.status)
	require.Equal(t, first.body, again.body, "a repeated request gets the same answer")
	require.Equal(t, 1, s.cancels(), "the gateway reads a cancelled order and does not cancel it again")
	require.Equal(t, "cancelled", s.get(phoneOrders+"/7", "ann").members(t)["status"])
	require.EqualValues(t, 2, s.metric("flashsale_http_request_duration_seconds", "route", "cancel"))
}

func TestCancelOfAnOrderWithoutARow(t *testing.T) {
	s := newScene(t).open(autumn())
	waiting := rowOf(8, sale.StatusQueued)
	waiting.Reason = sale.ReasonDeadLetter
	s.store(waiting)
	s.hold("ann", sale.Holding{OrderID: 6, Lines: phones(1), CreatedAt: noon, Status: sale.StatusHeld},
		sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
	for _, id := range []string{"6", "7", "8"} {
		s.notCancelled(s.cancel(id, "ann"), codeNotConfirmed)
	}
	require.Zero(t, s.cancels())
	s.problem(s.cancel("9", "ann"), http.StatusNotFound, "order_not_found", "The buyer has no such order", nil)
	doubt(s)
	s.refused(s.cancel("9", "ann"), sale.OutcomeFenced, nil)
}

func TestCancelOfAnOrderThatHasEndedOtherwise(t *testing.T) {
	s := newScene(t).open(autumn())
	for id, status := range map[sale.OrderID]sale.OrderStatus{
		7: sale.StatusPaid, 8: sale.StatusExpired, 9: sale.StatusRefused,
	} {
		s.store(rowOf(id, status))
		refusal := s.notCancelled(s.cancel(id.String(), "ann"), codeWrongStatus)
		require.EqualValues(t, status, refusal["order_status"])
		require.EqualValues(t, "the order is "+status, refusal["detail"])
	}
	require.Zero(t, s.cancels())
}

// TestCancelLosesARace: between the reading and the lock of the row, the order was paid or cancelled, or the database lost
// its last commits.
func TestCancelLosesARace(t *testing.T) {
	s := newScene(t).open(autumn())
	becomes := func(change func(*fakeDatabase)) {
		s.store(rowOf(7, sale.StatusConfirmed))
		s.database.set(func(b *fakeDatabase) { b.onCancel = func() { b.set(change) } })
	}
	for _, status := range []sale.OrderStatus{sale.StatusPaid, sale.StatusExpired} {
		becomes(func(b *fakeDatabase) { b.rows[7] = rowOf(7, status) })
		require.EqualValues(t, status, s.notCancelled(s.cancel("7", "ann"), codeWrongStatus)["order_status"])
	}
	becomes(func(b *fakeDatabase) { b.rows[7] = rowOf(7, sale.StatusQueued) })
	s.notCancelled(s.cancel("7", "ann"), codeNotConfirmed)
	becomes(func(b *fakeDatabase) { b.rows[7] = rowOf(7, sale.StatusCancelled) })
	require.Equal(t, http.StatusOK, s.cancel("7", "ann").status)
	becomes(func(b *fakeDatabase) { delete(b.rows, 7) })
	s.problem(s.cancel("7", "ann"), http.StatusNotFound, "order_not_found", "The buyer has no such order", nil)
}

// TestCancelOfAForeignOrder: a buyer cannot cancel an order of another buyer or item, and the answers reveal nothing about it.
func TestCancelOfAForeignOrder(t *testing.T) {
	s := newScene(t).open(autumn(), autumn(func(s *sale.Sale) { s.ID = "winter" }))
	foreign := rowOf(8, sale.StatusConfirmed)
	foreign.BuyerID = "bob"
	s.store(rowOf(7, sale.StatusConfirmed), foreign)
	for name, path := range map[string]string{
		"someone else's": phoneOrders + "/8", "unknown": phoneOrders + "/99", "no id": phoneOrders + "/abc",
		"leading zero": phoneOrders + "/07", "another sale": "/v1/sales/winter/items/phone/orders/7",
	} {
		r := s.send(http.MethodDelete, path, "", bearer("ann"))
		require.Equal(t, http.StatusNotFound, r.status, name)
		s.problem(r, http.StatusNotFound, "order_not_found", "The buyer has no such order", nil)
	}
	require.Equal(t, "confirmed", s.get(phoneOrders+"/8", "bob").members(t)["status"])
	require.Equal(t, "confirmed", s.get(phoneOrders+"/7", "ann").members(t)["status"])
}

// TestCancelAsksTheDatabaseForTheBuyersOwn: the look-up before it takes no lock, so the gateway passes the buyer to the
// database.
func TestCancelAsksTheDatabaseForTheBuyersOwn(t *testing.T) {
	s := newScene(t).open(autumn())
	s.store(rowOf(7, sale.StatusConfirmed))
	s.database.set(func(b *fakeDatabase) {
		b.onCancel = func() {
			b.set(func(b *fakeDatabase) { row := b.rows[7]; row.BuyerID = "bob"; b.rows[7] = row })
		}
	})
	require.Equal(t, http.StatusNotFound, s.cancel("7", "ann").status)
}

func TestCancelChecksTheTokenBeforeTheIds(t *testing.T) {
	s := newScene(t).open(autumn())
	s.refused(s.send(http.MethodDelete, "/v1/sales/none/items/phone/orders/7", ""), sale.OutcomeUnauthenticated, nil)
	s.refused(s.send(http.MethodDelete, "/v1/sales/none/items/phone/orders/7", "", bearer("ann")), sale.OutcomeSaleNotFound, nil)
	s.refused(s.send(http.MethodDelete, "/v1/sales/autumn/items/none/orders/7", "", bearer("ann")), sale.OutcomeSKUNotFound, nil)
	r := s.send(http.MethodDelete, phoneOrders, "", bearer("ann"))
	s.refused(r, sale.OutcomeMethodNotAllowed, nil)
	require.Equal(t, "GET, HEAD, POST", r.header.Get("Allow"))
}

func TestCancelWorksInEveryStateOfTheSale(t *testing.T) {
	for _, state := range []sale.State{sale.StatePreloaded, sale.StateOpen, sale.StatePaused, sale.StateClosed} {
		s := newScene(t).open(autumn(func(s *sale.Sale) { s.State = state }))
		s.store(rowOf(7, sale.StatusConfirmed))
		require.Equal(t, http.StatusOK, s.cancel("7", "ann").status, state)
	}
	s := newScene(t).open(autumn())
	s.store(rowOf(7, sale.StatusConfirmed))
	s.stock.set(func(f *fakeStock) { f.failing = errAway })
	require.Equal(t, http.StatusOK, s.cancel("7", "ann").status, "Redis plays no part in it")
}

func TestCancelWithoutTheDatabaseIsUnavailable(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.StoreTimeout = 30 * time.Millisecond }).open(autumn())
	s.store(rowOf(7, sale.StatusConfirmed))
	s.database.set(func(b *fakeDatabase) { b.onCancel = func() { b.set(func(b *fakeDatabase) { b.failing = errAway }) } })
	s.refused(s.cancel("7", "ann"), sale.OutcomeUnavailable, nil)
	s.refused(s.cancel("7", "ann"), sale.OutcomeUnavailable, nil)
	s.database.set(func(b *fakeDatabase) { b.failing, b.onCancel = nil, nil })
	require.Equal(t, http.StatusOK, s.cancel("7", "ann").status)
}

// TestCancelsUnderWayAreBounded: the database sees a few at a time; one that finds no slot in its time may be repeated.
func TestCancelsUnderWayAreBounded(t *testing.T) {
	const askers = 3 * cancelsAtOnce
	s := newScene(t, func(o *Options, _ *Deps) { o.StoreTimeout = 10 * time.Second }).open(autumn())
	entered, release := make(chan struct{}, askers), make(chan struct{})
	s.database.set(func(b *fakeDatabase) { b.onCancel = func() { entered <- struct{}{}; <-release } })
	var group sync.WaitGroup
	for id := range sale.OrderID(askers) {
		row := rowOf(id+1, sale.StatusConfirmed)
		row.BuyerID = fmt.Sprintf("buyer-%d", id) // one buyer may have fewer under way
		s.store(row)
		group.Go(func() {
			if r := s.cancel((id + 1).String(), row.BuyerID); r.status != http.StatusOK {
				t.Errorf("order %d: %d %s", id+1, r.status, r.body)
			}
		})
	}
	for range cancelsAtOnce {
		<-entered
	}
	require.Len(t, s.gateway.cancels.slots, cancelsAtOnce)
	require.Empty(t, entered, "the others wait")
	close(release)
	group.Wait()
	require.Equal(t, askers, s.cancels())
}

func TestCancelGivesUpItsTurnWithItsTime(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.StoreTimeout = 20 * time.Millisecond }).open(autumn())
	s.store(rowOf(7, sale.StatusConfirmed))
	for range cancelsAtOnce {
		s.gateway.cancels.slots <- struct{}{}
	}
	s.refused(s.cancel("7", "ann"), sale.OutcomeUnavailable, nil)
	for range cancelsAtOnce {
		<-s.gateway.cancels.slots
	}
	require.Zero(t, s.cancels())
	require.Zero(t, s.gateway.reads.Load(), "the look-up has ended")
	require.Equal(t, http.StatusOK, s.cancel("7", "ann").status)
}

// TestRefusedCancelsDoNotOpenTheBreaker: a refusal is an answer of the database and not a fault.
func TestRefusedCancelsDoNotOpenTheBreaker(t *testing.T) {
	s := newScene(t).open(autumn())
	s.database.rules(sale.Rules{CircuitBreaker: []sale.BreakerRule{{
		Resource: sale.ResourceMySQL, Strategy: sale.StrategyErrorCount, Threshold: 1, WindowMS: 10_000, MinRequests: 1,
		RetryMS: 10_000,
	}}})
	s.pollCatalogue()
	s.database.set(func(b *fakeDatabase) {
		b.onCancel = func() { b.set(func(b *fakeDatabase) { b.rows[7] = rowOf(7, sale.StatusPaid) }) }
	})
	for range 5 {
		s.store(rowOf(7, sale.StatusConfirmed))
		s.notCancelled(s.cancel("7", "ann"), codeWrongStatus)
	}
}
