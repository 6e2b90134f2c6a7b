package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestPurchaseIsTaken(t *testing.T) {
	s := newScene(t).open(autumn())
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 777, CreatedAt: noon})
	before := time.Now()
	r := s.press("ann", `{"quantity":1}`, `Idempotency-Key: "first press"`)

	require.Equal(t, http.StatusAccepted, r.status, r.body)
	require.Equal(t, phoneOrders+"/777", r.header.Get("Location"))
	require.Equal(t, "application/json", r.header.Get("Content-Type"))
	require.Equal(t, "no-store", r.header.Get("Cache-Control"))
	require.JSONEq(t, `{"order_id":"777","status":"queued","sale":"autumn","sku":"phone","quantity":1,"unit_price_cents":129900,
		"lines":[{"sku":"phone","quantity":1,"unit_price_cents":129900}],"total_cents":129900,"currency":"CNY",
		"created_at":"2026-11-11T12:00:00.123Z",
		"updated_at":"2026-11-11T12:00:00.123Z","pay_by":"2026-11-11T12:15:00.123Z"}`, r.body)
	purchases := s.stock.purchases()
	require.Len(t, purchases, 1)
	require.WithinRange(t, purchases[0].ArrivedAt, before, time.Now(), "when the request had arrived")
	purchases[0].ArrivedAt = time.Time{}
	require.Equal(t, sale.Purchase{
		Bucket: sale.Bucket{Sale: "autumn"}, Epoch: 1, Partition: 3, Buckets: 1,
		Buyer: "ann", Key: "first press", Grief: sale.DefaultGrief().ForSale(900),
		Lines: []sale.Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 129900, Number: 1}},
	}, purchases[0])
	require.EqualValues(t, 1, s.counted(sale.OutcomeQueued))
}

func TestHeldAnswerSaysSo(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.PaymentTTL = 0 }))
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeHeld, OrderID: 5, CreatedAt: noon})
	r := s.press("ann", `{"quantity":2}`)
	require.Equal(t, http.StatusAccepted, r.status)
	require.Equal(t, "held", r.members(t)["status"])
	require.NotContains(t, r.members(t), "pay_by")
	require.EqualValues(t, 1, s.counted(sale.OutcomeHeld))
}

// TestStockRefusals shows every answer that is the Stock's own.
func TestStockRefusals(t *testing.T) {
	cases := []struct {
		answer  sale.Answer
		members map[string]any
	}{
		{sale.Answer{Outcome: sale.OutcomeKeyReused, OrderID: 9}, map[string]any{"order_id": "9"}},
		{sale.Answer{Outcome: sale.OutcomeOverLimit, Limit: 2, Scope: sale.ScopeSKU, SKU: "phone"},
			map[string]any{"scope": "sku", "sku": "phone", "limit": 2.0}},
		{sale.Answer{Outcome: sale.OutcomeOverLimit, Limit: 2, Scope: sale.ScopeSale},
			map[string]any{"scope": "sale", "limit": 2.0}},
		{sale.Answer{Outcome: sale.OutcomeAlreadyBought, Limit: 2, Bought: 1, OrderID: 8, Scope: sale.ScopeSKU, SKU: "phone"},
			map[string]any{"scope": "sku", "sku": "phone", "limit": 2.0, "bought": 1.0, "order_id": "8"}},
		{sale.Answer{Outcome: sale.OutcomeAlreadyBought, Limit: 2, Bought: 1, OrderID: 8, Scope: sale.ScopeSale},
			map[string]any{"scope": "sale", "limit": 2.0, "bought": 1.0, "order_id": "8"}},
		{sale.Answer{Outcome: sale.OutcomeTooManyCancellations, Limit: 3, Unpaid: 4, SKU: "phone"},
			map[string]any{"sku": "phone", "limit": 3.0, "unpaid": 4.0}},
		{sale.Answer{Outcome: sale.OutcomeNotEnough, Available: 3, SKU: "phone"},
			map[string]any{"sku": "phone", "available": 3.0}},
		{sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "phone"}, soldOutPhone},
		{sale.Answer{Outcome: sale.OutcomeUnknown, OrderID: 7}, map[string]any{"order_id": "7"}},
		{sale.Answer{Outcome: sale.OutcomeFenced, Reason: "epoch"}, nil},
		{sale.Answer{Outcome: sale.OutcomePaused}, nil},
		{sale.Answer{Outcome: sale.OutcomeSaleEnded}, nil},
		{sale.Answer{Outcome: sale.OutcomeNotEligible}, nil},
		{sale.Answer{Outcome: sale.OutcomeUnavailable}, nil},
		{sale.Answer{Outcome: sale.OutcomeOverloaded}, nil},
		{sale.Answer{Outcome: sale.OutcomeNotStarted}, map[string]any{
			"starts_at": "2026-11-11T11:00:00.123Z", "server_time": "2026-11-11T12:00:00.123Z"}},
	}
	for _, c := range cases {
		t.Run(c.answer.Outcome.String(), func(t *testing.T) {
			s := newScene(t).open(autumn())
			s.stock.answer(c.answer)
			s.refused(s.press("ann", ""), c.answer.Outcome, c.members)
			require.EqualValues(t, 1, s.counted(c.answer.Outcome))
		})
	}
}

// TestLocalRefusals shows every answer that the gateway gives alone; none reaches the Stock.
func TestLocalRefusals(t *testing.T) {
	s := newScene(t).open(
		autumn(),
		autumn(func(s *sale.Sale) { s.ID = "draft"; s.State = sale.StateDraft }),
		autumn(func(s *sale.Sale) { s.ID = "preloaded"; s.State = sale.StatePreloaded }),
		autumn(func(s *sale.Sale) { s.ID = "early"; s.StartsAt = sale.Time{Time: noon.Add(90 * time.Second)} }),
		autumn(func(s *sale.Sale) { s.ID = "over"; s.EndsAt = sale.Time{Time: noon} }),
		autumn(func(s *sale.Sale) { s.ID = "closed"; s.State = sale.StateClosed }),
		autumn(func(s *sale.Sale) { s.ID = "paused"; s.State = sale.StatePaused }),
		autumn(func(s *sale.Sale) {
			s.ID, s.State, s.StartsAt = "paused-early", sale.StatePaused, sale.Time{Time: noon.Add(time.Second)}
		}),
		autumn(func(s *sale.Sale) { s.ID, s.State, s.EndsAt = "paused-over", sale.StatePaused, sale.Time{Time: noon} }),
		autumn(func(s *sale.Sale) { s.ID = "doubtful" }),
		autumn(func(s *sale.Sale) { s.ID = "unlisted"; s.Eligibility = sale.EligibilityList }),
	)
	s.database.bucket(sale.BucketRow{Bucket: sale.Bucket{Sale: "doubtful"}, Epoch: 1, State: sale.BucketLoading})
	s.pollCatalogue()

	early := func(startsAt string) map[string]any {
		return map[string]any{"starts_at": startsAt, "server_time": "2026-11-11T12:00:00.123Z"}
	}
	cases := []struct {
		name, path, body, header string
		outcome                  sale.Outcome
		members                  map[string]any
	}{
		{"unknown sale", "/v1/sales/none/items/phone/orders", "", "", sale.OutcomeSaleNotFound, nil},
		{"draft", "/v1/sales/draft/items/phone/orders", "", "", sale.OutcomeSaleNotFound, nil},
		{"another case", "/v1/sales/Autumn/items/phone/orders", "", "", sale.OutcomeSaleNotFound, nil},
		{"unknown SKU", "/v1/sales/autumn/items/none/orders", "", "", sale.OutcomeSKUNotFound, nil},
		{"preloaded", "/v1/sales/preloaded/items/phone/orders", "", "", sale.OutcomeNotStarted,
			early("2026-11-11T11:00:00.123Z")},
		{"before the start", "/v1/sales/early/items/phone/orders", "", "", sale.OutcomeNotStarted,
			early("2026-11-11T12:01:30.123Z")},
		{"paused before the start", "/v1/sales/paused-early/items/phone/orders", "", "", sale.OutcomeNotStarted,
			early("2026-11-11T12:00:01.123Z")},
		{"after the end", "/v1/sales/over/items/phone/orders", "", "", sale.OutcomeSaleEnded, nil},
		{"closed", "/v1/sales/closed/items/phone/orders", "", "", sale.OutcomeSaleEnded, nil},
		{"paused after the end", "/v1/sales/paused-over/items/phone/orders", "", "", sale.OutcomeSaleEnded, nil},
		{"paused", "/v1/sales/paused/items/phone/orders", "", "", sale.OutcomePaused, nil},
		{"stock in doubt", "/v1/sales/doubtful/items/phone/orders", "", "", sale.OutcomeFenced, nil},
		{"no token", phoneOrders, "", "", sale.OutcomeUnauthenticated, nil},
		{"another scheme", phoneOrders, "", "Authorization: Basic YTpi", sale.OutcomeUnauthenticated, nil},
		{"listed sale without a list", "/v1/sales/unlisted/items/phone/orders", "", bearer("ann"), sale.OutcomeNotEligible, nil},
		{"bad body", phoneOrders, "{", bearer("ann"), sale.OutcomeMalformed, map[string]any{"field": "body"}},
		{"bad quantity", phoneOrders, `{"quantity":0}`, bearer("ann"), sale.OutcomeMalformed,
			map[string]any{"field": "quantity"}},
		{"unknown member", phoneOrders, `{"colour":1}`, bearer("ann"), sale.OutcomeMalformed, map[string]any{"field": "colour"}},
		{"empty key", phoneOrders, "", "Idempotency-Key:", sale.OutcomeMalformed, map[string]any{"field": "Idempotency-Key"}},
		{"no such path", "/v1/sales/autumn/items/phone", "", "", sale.OutcomeNotFound, nil},
		{"trailing slash", phoneOrders + "/", "", "", sale.OutcomeNotFound, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := s.counted(c.outcome)
			headers := []string{}
			if c.header != "" {
				headers = append(headers, c.header)
			}
			s.refused(s.send(http.MethodPost, c.path, c.body, headers...), c.outcome, c.members)
			require.Equal(t, before+1, s.counted(c.outcome))
		})
	}
	require.Empty(t, s.stock.purchases())
}

// TestPrecedence presses with two faults at once, of neighbouring rows: the upper row answers.
func TestPrecedence(t *testing.T) {
	type change = func(*sale.Sale)
	ended := func(s *sale.Sale) { s.EndsAt = sale.Time{Time: noon} }
	early := func(s *sale.Sale) { s.StartsAt = sale.Time{Time: noon.Add(time.Minute)} }
	paused := func(s *sale.Sale) { s.State = sale.StatePaused }
	listed := func(s *sale.Sale) { s.Eligibility = sale.EligibilityList }
	strict := sale.Rules{Buyer: &sale.Limit{PerSecond: 0.001, Burst: 1}}
	shut := sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 0}}}
	cases := []struct {
		name    string
		path    string
		body    string
		headers []string
		sale    []change
		arrange func(*scene)
		outcome sale.Outcome
	}{
		{"path over body", "/nowhere", "{", nil, nil, nil, sale.OutcomeNotFound},
		{"body over sale", "/v1/sales/none/items/phone/orders", "{", nil, nil, nil, sale.OutcomeMalformed},
		{"key over sale", "/v1/sales/none/items/phone/orders", "", []string{"Idempotency-Key: \x80"}, nil, nil,
			sale.OutcomeMalformed},
		{"SKU over start", "/v1/sales/autumn/items/none/orders", "", nil, []change{early}, nil, sale.OutcomeSKUNotFound},
		{"start over pause", phoneOrders, "", nil, []change{early, paused}, nil, sale.OutcomeNotStarted},
		{"end over pause", phoneOrders, "", nil, []change{ended, paused}, nil, sale.OutcomeSaleEnded},
		{"pause over doubt", phoneOrders, "", nil, []change{paused}, doubt, sale.OutcomePaused},
		{"doubt over sold out", phoneOrders, "", nil, nil, func(s *scene) { latchOf(s, "bob"); doubt(s) }, sale.OutcomeFenced},
		{"sold out over token", phoneOrders, "", nil, nil, func(s *scene) { latchOf(s, "bob") }, sale.OutcomeSoldOut},
		{"token over list", phoneOrders, "", nil, []change{listed}, nil, sale.OutcomeUnauthenticated},
		{"list over limit", phoneOrders, "", []string{bearer("ann")}, []change{listed}, rules(shut), sale.OutcomeNotEligible},
		{"limit over in flight", phoneOrders, "", []string{bearer("ann")}, nil, func(s *scene) { full(s); rules(shut)(s) },
			sale.OutcomeRateLimited},
		{"buyer's limit over in flight", phoneOrders, "", []string{bearer("ann")}, nil, func(s *scene) {
			rules(strict)(s)
			s.press("ann", "")
			full(s)
		}, sale.OutcomeRateLimited},
		{"in flight over stock", phoneOrders, "", []string{bearer("ann")}, nil, func(s *scene) {
			s.stock.answer(sale.Answer{Outcome: sale.OutcomeNotEnough})
			full(s)
		}, sale.OutcomeOverloaded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t).open(autumn(c.sale...))
			if c.arrange != nil {
				c.arrange(s)
			}
			r := s.send(http.MethodPost, c.path, c.body, c.headers...)
			require.Equal(t, c.outcome.String(), r.members(t)["code"])
			require.Equal(t, c.outcome.Row().Status, r.status)
		})
	}
}

func doubt(s *scene) {
	s.database.bucket(sale.BucketRow{Bucket: sale.Bucket{Sale: "autumn"}, Epoch: 1, State: sale.BucketClosed})
	s.pollCatalogue()
}

// latchOf closes the latch of the phone, which the owner has bought.
func latchOf(s *scene, owner string) {
	s.t.Helper()
	s.stock.set(func(f *fakeStock) {
		f.owners[phone] = []string{owner}
		f.readings[phone] = level{Epoch: 1}
	})
	s.gateway.latchWatcher.soldOut(s.item("autumn", "phone").latch)
	s.look()
}

// look makes one look of the latch watcher, reads every filter that it orders, and makes a look that puts them to work.
func (s *scene) look() {
	s.t.Helper()
	w := s.gateway.latchWatcher
	for _, l := range w.sales {
		for n := range l.buckets {
			l.buckets[n].rests.Store(0)
		}
	}
	require.NoError(s.t, w.look(context.Background()))
	if s.readOwners() {
		require.NoError(s.t, w.look(context.Background()))
	}
}

// readOwners reads every filter that was ordered, and reports whether there was one.
func (s *scene) readOwners() (read bool) {
	s.t.Helper()
	for ; len(s.gateway.latchWatcher.owners.orders) > 0; read = true {
		require.NoError(s.t, s.gateway.latchWatcher.owners.read(context.Background(), <-s.gateway.latchWatcher.owners.orders))
	}
	return read
}

// filter has the known owners of one of autumn's SKUs in the first bucket, nil while an owner may be missing.
func (s *scene) filter(sku string) *bloom.BloomFilter { return s.closing(sku).filters[0].Load().buyers }

// closing is the closed latch of one of autumn's SKUs, nil if it is open.
func (s *scene) closing(sku string) *closing { return s.item("autumn", sku).latch.closed.Load() }

func (s *scene) item(saleID, sku string) *liveItem {
	return s.gateway.catalogue.current.Load().sales[saleID].items[sku]
}

func rules(r sale.Rules) func(*scene) {
	return func(s *scene) { s.database.rules(r); s.pollCatalogue() }
}

// full leaves no room for a purchase in flight.
func full(s *scene) { s.gateway.inFlight.Store(int64(s.gateway.options.MaxInFlight)) }

func TestRetryAfterReachesUpToTheStart(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) {
		s.StartsAt = sale.Time{Time: noon.Add(89*time.Second +
			time.Millisecond)}
	}))
	r := s.press("ann", "")
	require.Equal(t, "90", r.header.Get("Retry-After"))

	s.stock.now.Add(89_000)
	require.Equal(t, "1", s.press("ann", "").header.Get("Retry-After"))
	s.stock.now.Add(1)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status, "it sells from starts_at on")
}

func TestRetryAfterIsOneToThreeAtRandom(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.State = sale.StatePaused }))
	seen := map[string]bool{}
	for range 60 {
		seen[s.press("ann", "").header.Get("Retry-After")] = true
	}
	require.Equal(t, map[string]bool{"1": true, "2": true, "3": true}, seen)
}

func TestUnknownCatalogueIsUnavailable(t *testing.T) {
	s := newScene(t)
	s.refused(s.press("ann", ""), sale.OutcomeUnavailable, nil)
	s.refused(s.get(phoneOrders, "ann"), sale.OutcomeUnavailable, nil)
	s.refused(s.send(http.MethodGet, "/v1/sales/autumn", ""), sale.OutcomeUnavailable, nil)
}

func TestBucketOfTheBuyerDecides(t *testing.T) {
	const buckets = 8
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.Buckets = buckets }))
	seen := map[int]bool{}
	for i := range 64 {
		buyer := "buyer-" + strconv.Itoa(i)
		require.Equal(t, http.StatusAccepted, s.press(buyer, "").status)
		asked := s.stock.purchases()
		home := sale.HomeBucket(buyer, buckets)
		require.Equal(t, home, asked[len(asked)-1].Bucket.Number)
		seen[home] = true
	}
	require.Len(t, seen, buckets)
}

func TestOneBucketInDoubtRefusesItsBuyersOnly(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.Buckets = 2 }))
	s.database.bucket(sale.BucketRow{Bucket: sale.Bucket{Sale: "autumn", Number: 1}, Epoch: 1,
		State: sale.BucketClosed})
	s.pollCatalogue()
	s.refused(s.press(buyerOf(1, 2), ""), sale.OutcomeFenced, nil)
	require.Equal(t, http.StatusAccepted, s.press(buyerOf(0, 2), "").status)
	s.refused(s.send(http.MethodPost, phoneOrders, ""), sale.OutcomeUnauthenticated, nil)
}

// buyerOf returns a buyer whose home is a bucket.
func buyerOf(bucket, buckets int) string {
	for i := 0; ; i++ {
		if buyer := fmt.Sprintf("b%d", i); sale.HomeBucket(buyer, buckets) == bucket {
			return buyer
		}
	}
}

func TestListedSaleAsksForTheListItKnows(t *testing.T) {
	s := newScene(t).open(autumn(func(s *sale.Sale) { s.Eligibility, s.ListVersion, s.ListSize = sale.EligibilityList, 4, 2 }))
	require.Equal(t, http.StatusAccepted, s.press("stranger", "").status,
		"without a filter every buyer passes to Redis")
	asked := s.stock.purchases()
	require.EqualValues(t, 4, asked[0].ListVersion)
	require.EqualValues(t, 2, asked[0].ListSize)

	s.database.set(func(b *fakeDatabase) { b.listed["autumn"] = []string{"ann", "bob"} })
	require.NoError(t, s.gateway.lists.build(context.Background(), s.gateway.catalogue.current.Load(), noon))
	s.refused(s.press("stranger", ""), sale.OutcomeNotEligible, nil)
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
	require.Equal(t, http.StatusAccepted, s.press("bob", "").status)
}

func TestPanicCostsOneRequest(t *testing.T) {
	s := newScene(t).open(autumn())
	s.stock.set(func(f *fakeStock) { f.decide = func(sale.Purchase) sale.Answer { panic("a fault of the program") } })
	r := s.press("ann", "")
	s.problem(r, http.StatusInternalServerError, "internal", "The gateway has failed", nil)
	require.EqualValues(t, 1, s.metric("flashsale_panics_total", "", ""))
	require.Zero(t, s.gateway.inFlight.Load(), "a purchase that has ended is not in flight")

	s.stock.answer(sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 1, CreatedAt: noon})
	require.Equal(t, http.StatusAccepted, s.press("ann", "").status)
}

func TestEveryOutcomeIsCountedFromTheStart(t *testing.T) {
	s := newScene(t)
	for _, o := range sale.Outcomes() {
		require.Zero(t, s.counted(o), o.String())
	}
}

func TestDurationsAreLabelledByRouteAndStatus(t *testing.T) {
	s := newScene(t).open(autumn())
	s.press("ann", "")
	s.send(http.MethodGet, "/v1/time", "")
	require.EqualValues(t, 1, s.metric("flashsale_http_request_duration_seconds", "route", "purchase"))
	require.EqualValues(t, 1, s.metric("flashsale_http_request_duration_seconds", "route", "time"))
	require.EqualValues(t, 1, s.metric("flashsale_http_request_duration_seconds", "status", "202"))
}
