package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// rowOf is an order row of ann's.
func rowOf(id sale.OrderID, status sale.OrderStatus) sale.Order {
	return sale.Order{
		OrderID: id, Status: status, Sale: "autumn", Currency: "CNY",
		Lines:     []sale.Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 129900}},
		CreatedAt: sale.Time{Time: noon}, UpdatedAt: sale.Time{Time: noon.Add(time.Second)},
		PayBy: sale.PayBy(noon, 900), BuyerID: "ann",
	}
}

// phones are the lines of a holding of phones.
func phones(quantity int) []sale.Line { return []sale.Line{{Number: 1, Quantity: quantity}} }

func (s *scene) store(rows ...sale.Order) {
	s.database.set(func(b *fakeDatabase) {
		for _, row := range rows {
			b.rows[row.OrderID] = row
		}
	})
}

func (s *scene) hold(buyer string, holdings ...sale.Holding) {
	s.stock.set(func(f *fakeStock) { f.holdings[buyer] = holdings })
}

func TestReplayAnswersTheOrderAsItIsNow(t *testing.T) {
	s := newScene(t).open(autumn())
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: 7, CreatedAt: noon})
	s.store(rowOf(7, sale.StatusPaid))
	r := s.press("ann", "", "Idempotency-Key: k")
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "paid", r.members(t)["status"])
	require.Equal(t, phoneOrders+"/7", r.header.Get("Location"))
	require.EqualValues(t, 1, s.counted(sale.OutcomeReplayed))
}

func TestReplayOfAnOrderWithoutARow(t *testing.T) {
	s := newScene(t).open(autumn())
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: 7, CreatedAt: noon})

	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
	require.Equal(t, "queued", s.press("ann", "").members(t)["status"])

	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusHeld})
	require.Equal(t, "held", s.press("ann", "").members(t)["status"])

	s.hold("ann")
	require.Equal(t, "held", s.press("ann", "").members(t)["status"], "held is true of every order taken")
}

// TestReplayWithoutTheDatabase: whether the order has a row is unknown, and the buyer may have been told that it has.
func TestReplayWithoutTheDatabase(t *testing.T) {
	s := newScene(t).open(autumn())
	s.database.set(func(b *fakeDatabase) { b.failing = errAway })
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: 7, CreatedAt: noon})
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
	s.refused(s.press("ann", ""), sale.OutcomeUnavailable, nil)
	s.hold("ann")
	s.refused(s.press("ann", ""), sale.OutcomeUnavailable, nil)            // released
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: 7}) // only the database has it
	s.refused(s.press("ann", ""), sale.OutcomeUnavailable, nil)
}

func TestOwnOrders(t *testing.T) {
	s := newScene(t).open(autumn())
	require.JSONEq(t, `{"orders":[]}`, s.get(phoneOrders, "ann").body)

	other := rowOf(3, sale.StatusConfirmed)
	other.BuyerID = "bob"
	s.store(rowOf(9, sale.StatusConfirmed), other)
	s.hold("ann",
		sale.Holding{OrderID: 9, Lines: phones(1), Status: sale.StatusQueued},
		sale.Holding{OrderID: 5, Lines: phones(2), CreatedAt: noon, Status: sale.StatusHeld})
	r := s.get(phoneOrders, "ann")
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "no-store", r.header.Get("Cache-Control"))
	var got struct{ Orders []sale.Order }
	require.NoError(t, json.Unmarshal([]byte(r.body), &got))
	require.Len(t, got.Orders, 2)
	require.Equal(t, sale.OrderID(5), got.Orders[0].OrderID)
	require.Equal(t, sale.StatusHeld, got.Orders[0].Status)
	require.Equal(t, []sale.Line{{SKU: "phone", Quantity: 2, UnitPriceCents: 129900}}, got.Orders[0].Lines)
	require.Equal(t, sale.StatusConfirmed, got.Orders[1].Status, "the row has the newer status")
}

// Pages of a buyer's orders are sorted by id, orders with and without a row together.
func TestOwnOrdersArePaged(t *testing.T) {
	s := newScene(t).open(autumn())
	var holdings []sale.Holding
	for id := sale.OrderID(1); id <= 250; id++ {
		if id%3 == 0 {
			holdings = append(holdings, sale.Holding{OrderID: id, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
		} else {
			s.store(rowOf(id, sale.StatusCancelled))
		}
	}
	s.hold("ann", holdings...)
	for query, sizes := range map[string][]int{"": {100, 100, 50}, "limit=125": {125, 125}, "limit=249": {249, 1},
		"limit=1000": {250}} {
		last, cursor := sale.OrderID(0), ""
		for i, size := range sizes {
			var page struct {
				Orders []sale.Order
				Next   *string
			}
			require.NoError(t, json.Unmarshal([]byte(s.get(phoneOrders+"?"+query+cursor, "ann").body), &page))
			require.Len(t, page.Orders, size, "page %d of %q", i, query)
			for _, order := range page.Orders {
				last++
				require.Equal(t, last, order.OrderID)
			}
			require.Equal(t, i+1 == len(sizes), page.Next == nil, "the last page has no next")
			if page.Next != nil {
				cursor = "&cursor=" + *page.Next
			}
		}
	}
	require.JSONEq(t, `{"orders":[]}`, s.get(phoneOrders+"?cursor=250", "ann").body)
	require.Equal(t, s.get(phoneOrders, "ann").body, s.get(phoneOrders+"?limit=100&cursor=", "ann").body, "the first page")
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=1001": "limit", "limit=": "limit", "limit=x": "limit", "limit=-1": "limit",
		"limit=1&limit=2": "limit",
		"limit=1&limit=1": "limit", "cursor=&cursor=": "cursor", "cursor=5&cursor=": "cursor", "cursor=&cursor=5": "cursor",
		"cursor=x": "cursor", "cursor=-5": "cursor", "cursor=0": "cursor", "cursor=99999999999999999999": "cursor",
	} {
		got := s.get(phoneOrders+"?"+query, "ann")
		s.refused(got, sale.OutcomeMalformed, map[string]any{"field": field})
		require.Equal(t, formOfPage, got.members(t)["detail"])
	}
}

func TestOwnOrdersFailClosed(t *testing.T) {
	s := newScene(t).open(autumn())
	s.stock.set(func(f *fakeStock) { f.failing = errAway })
	s.refused(s.get(phoneOrders, "ann"), sale.OutcomeUnavailable, nil)
	s.stock.set(func(f *fakeStock) { f.failing = nil })
	s.database.set(func(b *fakeDatabase) { b.failing = errAway })
	s.refused(s.get(phoneOrders, "ann"), sale.OutcomeUnavailable, nil)
	s.database.set(func(b *fakeDatabase) { b.failing = nil })
	doubt(s)
	s.refused(s.get(phoneOrders, "ann"), sale.OutcomeFenced, nil)
	s.refused(s.get(phoneOrders+"/9", "ann"), sale.OutcomeFenced, nil)
	s.store(rowOf(9, sale.StatusConfirmed))
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status)
	require.Equal(t, http.StatusOK, s.get(phoneOrders+"/9", "ann").status)
}

func TestOneOrder(t *testing.T) {
	s := newScene(t).open(autumn(), autumn(func(s *sale.Sale) { s.ID = "winter" }))
	stranger := rowOf(8, sale.StatusConfirmed)
	stranger.BuyerID = "bob"
	s.store(rowOf(7, sale.StatusConfirmed), stranger)
	s.hold("ann", sale.Holding{OrderID: 6, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})

	r := s.get(phoneOrders+"/7", "ann")
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "confirmed", r.members(t)["status"])
	require.Equal(t, "queued", s.get(phoneOrders+"/6", "ann").members(t)["status"], "it has no row yet")

	for name, path := range map[string]string{
		"someone else's": phoneOrders + "/8", "unknown": phoneOrders + "/99", "no id": phoneOrders + "/abc",
		"leading zero": phoneOrders + "/07", "another sale": "/v1/sales/winter/items/phone/orders/7",
		"too large": phoneOrders + "/99999999999999999999",
	} {
		t.Run(name, func(t *testing.T) {
			s.problem(s.get(path, "ann"), http.StatusNotFound, "order_not_found", "The buyer has no such order", nil)
		})
	}
}

// TestForeignAndUnknownOrdersTakeOnePath: the same answers, in doubt too, after the same questions to the same stores.
func TestForeignAndUnknownOrdersTakeOnePath(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		for _, doubtful := range []bool{false, true} {
			for _, away := range []bool{false, true} {
				s := newScene(t).open(autumn())
				stranger := rowOf(8, sale.StatusConfirmed)
				stranger.BuyerID = "bob"
				s.store(stranger)
				if doubtful {
					doubt(s)
				}
				if away { // of Redis: whether it is asked at all shows in the answer
					s.stock.set(func(f *fakeStock) { f.failing = errAway })
				}
				ask := func(id string) (response, int64) {
					before := s.database.queries.Load()
					r := s.send(method, phoneOrders+"/"+id, "", bearer("ann"))
					return r, s.database.queries.Load() - before
				}
				foreign, foreignQueries := ask("8")
				unknown, unknownQueries := ask("99")
				require.Equal(t, unknown.body, foreign.body, "%s, doubtful %t, away %t", method, doubtful, away)
				require.Equal(t, unknownQueries, foreignQueries)
				require.Zero(t, s.database.cancels)
			}
		}
	}
}

// TestReadersShowTheirTokenFirst: other routes than the purchase check the token before the ids.
func TestReadersShowTheirTokenFirst(t *testing.T) {
	s := newScene(t).open(autumn())
	for _, path := range []string{"/v1/sales/none/items/phone/orders", "/v1/sales/none/items/phone/orders/7"} {
		s.refused(s.send(http.MethodGet, path, ""), sale.OutcomeUnauthenticated, nil)
		s.refused(s.get(path, "ann"), sale.OutcomeSaleNotFound, nil)
	}
	s.refused(s.get("/v1/sales/autumn/items/none/orders", "ann"), sale.OutcomeSKUNotFound, nil)
	require.Zero(t, s.counted(sale.OutcomeUnauthenticated), "a read does not count as a purchase")
}

func TestReadsUnderWayAreBounded(t *testing.T) {
	s := newScene(t).open(autumn())
	s.gateway.reads.Store(int64(s.gateway.options.MaxReads))
	s.refused(s.get(phoneOrders, "ann"), sale.OutcomeOverloaded, nil)
	s.gateway.reads.Store(0)
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status)
	require.Zero(t, s.gateway.reads.Load())
}

// TestLookupsGoTogether: ids asked for while a query is under way share the next one.
func TestLookupsGoTogether(t *testing.T) {
	const askers = 40
	s := newScene(t).open(autumn())
	entered, release := make(chan struct{}, askers), make(chan struct{})
	s.database.set(func(b *fakeDatabase) { b.onQuery = func() { entered <- struct{}{}; <-release } })
	for id := range sale.OrderID(askers) {
		row := rowOf(id+1, sale.StatusConfirmed)
		row.BuyerID = fmt.Sprintf("buyer-%d", id+1)
		s.store(row)
	}
	answers := make(chan response, askers)
	ask := func(id int) {
		go func() { answers <- s.get(phoneOrders+"/"+sale.OrderID(id).String(), fmt.Sprintf("buyer-%d", id)) }()
	}
	for id := 1; id <= queriesAtOnce; id++ {
		ask(id)
		<-entered // each has a query of its own
	}
	for id := queriesAtOnce + 1; id <= askers; id++ {
		ask(id)
	}
	require.Eventually(t, func() bool {
		s.gateway.lookups.mu.Lock()
		defer s.gateway.lookups.mu.Unlock()
		return len(s.gateway.lookups.pending) == askers-queriesAtOnce
	}, 10*time.Second, time.Millisecond)
	close(release)
	for range askers {
		require.Equal(t, http.StatusOK, (<-answers).status)
	}
	require.LessOrEqual(t, s.database.queries.Load(), int64(2*queriesAtOnce))
}

func TestLookupEndsWithItsTime(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.StoreTimeout = 20 * time.Millisecond }).open(autumn())
	release := make(chan struct{})
	s.database.set(func(b *fakeDatabase) { b.onQuery = func() { <-release } })
	s.refused(s.get(phoneOrders+"/7", "ann"), sale.OutcomeUnavailable, nil)
	close(release)
}

func TestPanicInALookupCostsThatLookup(t *testing.T) {
	s := newScene(t).open(autumn())
	s.database.set(func(b *fakeDatabase) { b.onQuery = func() { panic("a fault of the store") } })
	s.refused(s.get(phoneOrders+"/7", "ann"), sale.OutcomeUnavailable, nil)
	require.EqualValues(t, 1, s.metric("flashsale_panics_total", "", ""))
}

// TestOrderThatIsReleasedBetweenTheLooks: it settles, is cancelled and leaves Redis after the database was asked.
func TestOrderThatIsReleasedBetweenTheLooks(t *testing.T) {
	s := newScene(t).open(autumn())
	asked := 0
	s.database.set(func(b *fakeDatabase) {
		b.onQuery = func() {
			if asked++; asked == 2 {
				s.store(rowOf(7, sale.StatusCancelled))
			}
		}
	})
	require.Equal(t, "cancelled", s.get(phoneOrders+"/7", "ann").members(t)["status"])
}

func TestBodyOfManyOrdersIsOneDocument(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.PerBuyerLimit = 100 }))
	for id := range sale.OrderID(100) {
		s.store(rowOf(id+1, sale.StatusConfirmed))
	}
	r := s.get(phoneOrders, "ann")
	require.True(t, json.Valid([]byte(r.body)))
	require.Equal(t, 100, strings.Count(r.body, `"order_id"`))
}

// TestReplayIsAnsweredInTime: the Stock took most of the time, the database does not answer, and neither does Redis.
func TestReplayIsAnsweredInTime(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.StoreTimeout = 30 * time.Millisecond }).open(autumn())
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: 7, CreatedAt: noon})
	release := make(chan struct{})
	s.database.set(func(b *fakeDatabase) { b.onQuery = func() { <-release } })
	s.stock.set(func(f *fakeStock) { f.failing = errAway })
	began := time.Now()
	r := s.press("ann", "")
	s.refused(r, sale.OutcomeUnavailable, nil)
	require.Less(t, time.Since(began), 2*time.Second, "the database takes no more than its share")
	close(release)
}

func TestHoldingWithoutItsMomentShowsThatOfItsID(t *testing.T) {
	s := newScene(t).open(autumn())
	id := sale.OrderID((noon.UnixMilli() - sale.IDEpoch) << 22)
	s.hold("ann", sale.Holding{OrderID: id, Lines: phones(1), Status: sale.StatusQueued})
	require.Equal(t, "2026-11-11T12:00:00.123Z", s.get(phoneOrders+"/"+id.String(), "ann").members(t)["created_at"])
}

func TestRedisAwayHidesNoOrderThatTheDatabaseHas(t *testing.T) {
	s := newScene(t).open(autumn())
	s.stock.set(func(f *fakeStock) { f.failing = errAway })
	s.store(rowOf(7, sale.StatusConfirmed))
	require.Equal(t, http.StatusOK, s.get(phoneOrders+"/7", "ann").status)
	s.refused(s.get(phoneOrders+"/8", "ann"), sale.OutcomeUnavailable, nil)
}

// TestReadersWorkInEveryState: a paused, closed or ended sale still shows its orders.
func TestReadersWorkInEveryState(t *testing.T) {
	for _, state := range []sale.State{sale.StatePreloaded, sale.StateOpen, sale.StatePaused, sale.StateClosed} {
		s := newScene(t).open(autumn(func(s *sale.Sale) { s.State = state }))
		s.store(rowOf(7, sale.StatusConfirmed))
		require.Equal(t, http.StatusOK, s.get(phoneOrders+"/7", "ann").status, state)
		require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status, state)
	}
}

func TestLookupsThatNobodyWaitsForAreNotAsked(t *testing.T) {
	s := newScene(t).open(autumn())
	l := s.gateway.lookups
	for id := range sale.OrderID(10) {
		question := &lookup{id: id + 1, done: make(chan struct{})}
		question.gone.Store(id%2 == 0)
		l.pending = append(l.pending, question)
	}
	batch := l.take()
	require.Len(t, batch, 5)
	for _, question := range batch {
		require.Zero(t, question.id%2)
	}
}

func TestPendingLookupsAreBounded(t *testing.T) {
	s := newScene(t).open(autumn())
	s.gateway.lookups.pending = make([]*lookup, maxPending)
	s.refused(s.get(phoneOrders+"/7", "ann"), sale.OutcomeUnavailable, nil)
}
