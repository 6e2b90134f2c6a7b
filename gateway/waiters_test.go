package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// waiting returns once so many requests wait.
func (s *scene) waiting(count int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		return len(s.gateway.waiters.list(false, 1<<20)) == count
	}, 10*time.Second, time.Millisecond)
}

func (s *scene) ask(path, buyer string) chan response {
	answer := make(chan response, 1)
	go func() { answer <- s.get(path, buyer) }()
	return answer
}

func TestWaitAnswersAtOnceUnlessPending(t *testing.T) {
	s := newScene(t).open(autumn())
	for id, status := range map[sale.OrderID]sale.OrderStatus{
		1: sale.StatusConfirmed, 2: sale.StatusPaid, 3: sale.StatusRefused, 4: sale.StatusCancelled, 5: sale.StatusExpired,
	} {
		s.store(rowOf(id, status))
		require.Equal(t, string(status), s.get(phoneOrders+"/"+id.String()+"?wait=30s", "ann").members(t)["status"])
	}
}

// TestWaiterGetsTheCommitWithin100ms takes the median of some waits: a busy machine delays any single one.
func TestWaiterGetsTheCommitWithin100ms(t *testing.T) {
	const waits = 7
	s := newScene(t).open(autumn())
	s.run()
	took := make([]time.Duration, waits)
	for i := range took {
		id := sale.OrderID(i + 1)
		s.hold("ann", sale.Holding{OrderID: id, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
		answer := s.ask(phoneOrders+"/"+id.String()+"?wait=30s", "ann")
		s.waiting(1)
		committed := time.Now()
		s.store(rowOf(id, sale.StatusConfirmed))
		r := <-answer
		took[i] = time.Since(committed)
		require.Equal(t, http.StatusOK, r.status)
		require.Equal(t, "confirmed", r.members(t)["status"])
		s.waiting(0)
	}
	slices.Sort(took)
	require.Less(t, took[waits/2], 100*time.Millisecond, "%v", took)
}

func TestManyWaitersShareAQuery(t *testing.T) {
	const waiters = 50
	s := newScene(t).open(autumn())
	answers := make([]chan response, waiters)
	for i := range answers { // one order, so that one row answers all of them
		buyer := fmt.Sprintf("buyer-%d", i)
		s.hold(buyer, sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
		answers[i] = s.ask(phoneOrders+"/7?wait=30s", buyer)
	}
	s.waiting(waiters)
	s.store(rowOf(7, sale.StatusConfirmed))
	before := s.database.queries.Load()
	require.NoError(t, s.gateway.waiters.askRows(context.Background()))
	require.EqualValues(t, 1, s.database.queries.Load()-before)
	for _, answer := range answers {
		require.Equal(t, "confirmed", (<-answer).members(t)["status"])
	}
}

func TestWaitEndsWithItsTime(t *testing.T) {
	s := newScene(t).open(autumn())
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
	r := s.get(phoneOrders+"/7?wait=30ms", "ann")
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "queued", r.members(t)["status"])
}

func TestHeldWaiterHearsOfQueued(t *testing.T) {
	s := newScene(t).open(autumn())
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusHeld})
	answer := s.ask(phoneOrders+"/7?wait=30s", "ann")
	s.waiting(1)
	require.NoError(t, s.gateway.waiters.askHeldOrders(context.Background()))
	s.waiting(1)
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
	require.NoError(t, s.gateway.waiters.askHeldOrders(context.Background()))
	require.Equal(t, "queued", (<-answer).members(t)["status"])
}

// An order that another gateway got acknowledged stays in the journal for a moment: a read of it waits for the change, with
// and without `wait`.
func TestHeldIsCheckedAgain(t *testing.T) {
	s := newScene(t).open(autumn())
	held := sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusHeld}
	queued := held
	queued.Status = sale.StatusQueued
	for _, path := range []string{phoneOrders + "/7", phoneOrders + "/7?wait=1ms"} {
		s.hold("ann", held)
		answer := s.ask(path, "ann")
		s.waiting(1)
		s.hold("ann", queued)
		require.NoError(t, s.gateway.waiters.askHeldOrders(context.Background()))
		require.Equal(t, "queued", (<-answer).members(t)["status"])
	}
	s.hold("ann", held)
	begun := time.Now()
	require.Equal(t, "held", s.get(phoneOrders+"/7", "ann").members(t)["status"], "it stays so")
	require.GreaterOrEqual(t, time.Since(begun), heldRecheck)
}

func TestHeldOrdersOfAListAreCheckedAgainTogether(t *testing.T) {
	s := newScene(t).open(autumn())
	s.store(rowOf(1, sale.StatusPaid))
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusHeld},
		sale.Holding{OrderID: 8, Lines: phones(1), CreatedAt: noon, Status: sale.StatusHeld})
	begun := time.Now()
	answer := s.ask(phoneOrders, "ann")
	s.waiting(1)
	s.store(rowOf(7, sale.StatusConfirmed))
	require.NoError(t, s.gateway.waiters.askRows(context.Background()))
	var got struct{ Orders []sale.Order }
	require.NoError(t, json.Unmarshal([]byte((<-answer).body), &got))
	require.Equal(t, []sale.OrderStatus{sale.StatusPaid, sale.StatusConfirmed, sale.StatusHeld},
		[]sale.OrderStatus{got.Orders[0].Status, got.Orders[1].Status, got.Orders[2].Status})
	require.GreaterOrEqual(t, time.Since(begun), heldRecheck)
	require.Zero(t, s.gateway.reads.Load())
}

func TestRepeatedKeyOfAHeldOrderIsCheckedAgain(t *testing.T) {
	s := newScene(t).open(autumn())
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: 7, CreatedAt: noon})
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusHeld})
	answer := make(chan response, 1)
	go func() { answer <- s.press("ann", "") }()
	s.waiting(1)
	s.store(rowOf(7, sale.StatusConfirmed))
	require.NoError(t, s.gateway.waiters.askRows(context.Background()))
	require.Equal(t, "confirmed", (<-answer).members(t)["status"])
}

func TestWaitGoesOnWhileStoresAreAway(t *testing.T) {
	s := newScene(t).open(autumn())
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusHeld})
	answer := s.ask(phoneOrders+"/7?wait=30s", "ann")
	s.waiting(1)
	s.database.set(func(b *fakeDatabase) { b.failing = errAway })
	s.stock.set(func(f *fakeStock) { f.failing = errAway })
	require.ErrorIs(t, s.gateway.waiters.askRows(context.Background()), errAway)
	require.ErrorIs(t, s.gateway.waiters.askHeldOrders(context.Background()), errAway)
	s.waiting(1)
	s.database.set(func(b *fakeDatabase) { b.failing = nil })
	s.store(rowOf(7, sale.StatusConfirmed))
	require.NoError(t, s.gateway.waiters.askRows(context.Background()))
	require.Equal(t, "confirmed", (<-answer).members(t)["status"])
}

func TestWaitersAreBounded(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.MaxWaiters = 1 }).open(autumn())
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
	first := s.ask(phoneOrders+"/7?wait=30s", "ann")
	s.waiting(1)
	require.Equal(t, "queued", s.get(phoneOrders+"/7?wait=30s", "ann").members(t)["status"], "at once, as it is")
	s.store(rowOf(7, sale.StatusConfirmed))
	require.NoError(t, s.gateway.waiters.askRows(context.Background()))
	require.Equal(t, "confirmed", (<-first).members(t)["status"])
}

func TestShutdownAnswersWaiters(t *testing.T) {
	s := newScene(t).open(autumn())
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
	answer := s.ask(phoneOrders+"/7?wait=30s", "ann")
	s.waiting(1)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, s.gateway.Shutdown(ctx))
	require.Equal(t, "queued", (<-answer).members(t)["status"])
}

func TestWaitMember(t *testing.T) {
	s := newScene(t).open(autumn())
	s.store(rowOf(7, sale.StatusConfirmed))
	for _, good := range []string{"", "?wait=0s", "?wait=0", "?wait=30s", "?wait=1500ms", "?other=1", "?wait=5s&other=x"} {
		require.Equal(t, http.StatusOK, s.get(phoneOrders+"/7"+good, "ann").status, good)
	}
	for _, bad := range []string{"?wait=", "?wait", "?wait=5", "?wait=-1s", "?wait=31s", "?wait=soon", "?wait=1h",
		"?wait=2s&wait=1s", "?wait=2s&wait=2s", "?wait=soon&wait=2s"} {
		got := s.get(phoneOrders+"/7"+bad, "ann")
		s.refused(got, sale.OutcomeMalformed, map[string]any{"field": "wait"})
		require.Equal(t, formOfWait, got.members(t)["detail"])
	}
	require.Zero(t, s.counted(sale.OutcomeMalformed))
}

// TestNoWaitersCostNothing: without waiters the gateway does not ask the database.
func TestNoWaitersCostNothing(t *testing.T) {
	s := newScene(t).open(autumn())
	require.NoError(t, s.gateway.waiters.askRows(context.Background()))
	require.NoError(t, s.gateway.waiters.askHeldOrders(context.Background()))
	require.Zero(t, s.database.queries.Load())
}
