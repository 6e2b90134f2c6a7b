package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// catalogued is autumn with items of these SKUs; the prices are 100, 200, 300, …
func catalogued(skus ...string) func(*sale.Sale) {
	return func(s *sale.Sale) {
		s.Items = nil
		for i, sku := range skus {
			s.Items = append(s.Items, sale.Item{SKU: sku, Stock: 100, PriceCents: int64(100 * (i + 1))})
		}
	}
}

// bodyOf is the body of a purchase of one unit of each SKU.
func bodyOf(skus ...string) string {
	return `{"lines":[{"sku":"` + strings.Join(skus, `"},{"sku":"`) + `"}]}`
}

// pressCart presses Buy for lines.
func (s *scene) pressCart(buyer, body string, headers ...string) response {
	s.t.Helper()
	return s.send(http.MethodPost, autumnOrders, body, append(headers, bearer(buyer))...)
}

// latch closes the latch of one of autumn's SKUs, which the owners have bought in their home buckets.
func (s *scene) latch(sku string, owners ...string) {
	s.t.Helper()
	l := s.item("autumn", sku).latch
	s.stock.set(func(f *fakeStock) {
		for _, b := range l.sale.names(nil) {
			f.readings[sale.Shelf{Bucket: b, SKU: sku}] = level{Epoch: 1, Taken: 5}
		}
		for _, owner := range owners {
			home := l.sale.buckets[sale.HomeBucket(owner, len(l.sale.buckets))].bucket
			shelf := sale.Shelf{Bucket: home, SKU: sku}
			f.owners[shelf] = append(f.owners[shelf], owner)
		}
	})
	s.gateway.latchWatcher.soldOut(l)
	s.look()
}

func TestPurchaseOfLinesIsTaken(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case", "cable")))
	r := s.pressCart("ann", `{"lines":[{"sku":"cable","quantity":2},{"sku":"phone"}]}`, "Idempotency-Key: k")
	require.Equal(t, http.StatusAccepted, r.status, r.body)
	require.Equal(t, autumnOrders+"/4242", r.header.Get("Location"))
	require.JSONEq(t, `{"order_id":"4242","status":"queued","sale":"autumn","lines":[
		{"sku":"cable","quantity":2,"unit_price_cents":300},{"sku":"phone","quantity":1,"unit_price_cents":100}],
		"total_cents":700,"currency":"CNY","created_at":"2026-11-11T12:00:00.123Z",
		"updated_at":"2026-11-11T12:00:00.123Z","pay_by":"2026-11-11T12:15:00.123Z"}`, r.body)
	require.Equal(t, []sale.Line{
		{SKU: "cable", Quantity: 2, UnitPriceCents: 300, Number: 3}, {SKU: "phone", Quantity: 1, UnitPriceCents: 100, Number: 1},
	}, s.stock.purchases()[0].Lines)
	require.Equal(t, "k", s.stock.purchases()[0].Key)
	require.EqualValues(t, 1, s.metric("flashsale_http_request_duration_seconds", "route", "purchase"))

	one := s.pressCart("ann", bodyOf("case")).members(t)
	require.Equal(t, []any{"case", 1.0, 200.0, 200.0},
		[]any{one["sku"], one["quantity"], one["unit_price_cents"], one["total_cents"]})
	require.Equal(t, phoneOrders+"/4242", s.press("ann", "").header.Get("Location"), "in the form of the request's path")
}

func TestTwentyLines(t *testing.T) {
	var skus []string
	for i := range sale.MaxLines {
		skus = append(skus, fmt.Sprintf("%s%02d", strings.Repeat("a", 62), i))
	}
	s := newScene(t).open(autumn(catalogued(skus...)))
	r := s.pressCart("ann", cart(sale.MaxLines))
	require.Equal(t, http.StatusAccepted, r.status, r.body)
	require.Len(t, r.members(t)["lines"], sale.MaxLines)
	require.Len(t, s.stock.purchases()[0].Lines, sale.MaxLines)
}

func TestUnknownSKUAmongKnownOnes(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case")))
	for body, sku := range map[string]string{
		bodyOf("phone", "none", "case", "nothing"): "none", bodyOf("none"): "none", bodyOf("Phone", "case"): "Phone",
	} {
		s.refused(s.pressCart("ann", body), sale.OutcomeSKUNotFound, map[string]any{"sku": sku})
	}
	s.refused(s.send(http.MethodPost, "/v1/sales/none/orders", bodyOf("none")), sale.OutcomeSaleNotFound, nil)
	require.Empty(t, s.stock.purchases(), "nothing of the order is taken")
}

// TestIdsOfEveryForm: case counts, and a dot is a character like others, except at the beginning.
func TestIdsOfEveryForm(t *testing.T) {
	long := strings.Repeat("Z", 64)
	good := []string{"A", "a", "A.b", "a..b", "9._-", long}
	s := newScene(t).open(autumn(catalogued(good...)), autumn(func(s *sale.Sale) { s.ID = "Autumn.2026" }))
	for i, sku := range good {
		for _, r := range []response{
			s.pressCart("ann", bodyOf(sku)), s.send(http.MethodPost, "/v1/sales/autumn/items/"+sku+"/orders", "", bearer("ann")),
		} {
			require.Equal(t, http.StatusAccepted, r.status, sku)
			require.Equal(t, sku, r.members(t)["sku"])
			require.EqualValues(t, 100*(i+1), r.members(t)["unit_price_cents"])
		}
	}
	r := s.pressCart("ann", bodyOf("A", "a"))
	require.Equal(t, http.StatusAccepted, r.status, "two SKUs: %s", r.body)
	require.EqualValues(t, 300, r.members(t)["total_cents"])
	for _, bad := range []string{".", "..", ".a", long + "Z"} {
		s.refused(s.pressCart("ann", bodyOf("a", bad)), sale.OutcomeMalformed, map[string]any{"field": "lines[1].sku"})
		r := s.send(http.MethodPost, "/v1/sales/autumn/items/"+bad+"/orders", "", bearer("ann"))
		s.refused(r, sale.OutcomeSKUNotFound, nil)
		s.refused(s.send(http.MethodPost, "/v1/sales/"+bad+"/orders", bodyOf("a")), sale.OutcomeSaleNotFound, nil)
	}
	require.Equal(t, http.StatusAccepted,
		s.send(http.MethodPost, "/v1/sales/Autumn.2026/orders", bodyOf("phone"), bearer("ann")).status)
	s.refused(s.send(http.MethodPost, "/v1/sales/autumn.2026/orders", bodyOf("phone")), sale.OutcomeSaleNotFound, nil)
}

// TestPrecedenceOfLines presses with faults of two neighbouring rows on different lines: the upper row answers, whatever the
// order of the lines.
func TestPrecedenceOfLines(t *testing.T) {
	early := func(s *sale.Sale) { s.StartsAt = sale.Time{Time: noon.Add(1e9)} }
	none := func(*scene) {}
	soldOut := func(s *scene) { s.latch("case", "owner") }
	token := bearer("ann")
	for _, c := range []struct {
		name    string
		body    string
		sale    func(*sale.Sale)
		arrange func(*scene)
		headers []string
		outcome sale.Outcome
	}{
		{"malformed over unknown", `{"lines":[{"sku":"none"},{"sku":"case","quantity":0}]}`, nil, none, nil,
			sale.OutcomeMalformed},
		{"unknown over start", bodyOf("case", "none"), early, none, nil, sale.OutcomeSKUNotFound},
		{"unknown over sold out", bodyOf("case", "none"), nil, soldOut, nil, sale.OutcomeSKUNotFound},
		{"start over sold out", bodyOf("case"), early, soldOut, nil, sale.OutcomeNotStarted},
		{"doubt over sold out", bodyOf("phone", "case"), nil, func(s *scene) { soldOut(s); doubt(s) }, nil, sale.OutcomeFenced},
		{"sold out over token", bodyOf("phone", "case"), nil, soldOut, nil, sale.OutcomeSoldOut},
		{"sold out over limit", bodyOf("phone", "case"), nil, func(s *scene) {
			soldOut(s)
			rules(sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 0}}})(s)
		}, []string{token}, sale.OutcomeSoldOut},
		{"token over limit", bodyOf("phone", "cable"), nil, soldOut, nil, sale.OutcomeUnauthenticated},
		{"limit over stock", bodyOf("phone", "cable"), nil, func(s *scene) {
			rules(sale.Rules{Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 0}}})(s)
		}, []string{token}, sale.OutcomeRateLimited},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := c.sale
			if change == nil {
				change = func(*sale.Sale) {}
			}
			s := newScene(t).open(autumn(catalogued("phone", "case", "cable"), change))
			c.arrange(s)
			r := s.send(http.MethodPost, autumnOrders, c.body, c.headers...)
			require.Equal(t, c.outcome.String(), r.members(t)["code"], r.body)
			require.Empty(t, s.stock.purchases())
		})
	}
}

// TestLatchOfAnyLineRefuses: the answer names the first line whose SKU is sold out and of which the buyer owns nothing.
func TestLatchOfAnyLineRefuses(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case", "cable")))
	s.latch("case", "owner")
	s.latch("cable", "ann", "owner")
	gone := func(sku string) map[string]any { return map[string]any{"sku": sku} }
	s.refused(s.pressCart("bob", bodyOf("phone", "cable", "case")), sale.OutcomeSoldOut, gone("cable"))
	s.refused(s.pressCart("bob", bodyOf("case", "cable")), sale.OutcomeSoldOut, gone("case"))
	s.refused(s.pressCart("ann", bodyOf("cable", "case")), sale.OutcomeSoldOut, gone("case"))
	s.refused(s.send(http.MethodPost, autumnOrders, bodyOf("phone", "case")), sale.OutcomeSoldOut, gone("case"))
	require.Empty(t, s.stock.purchases())
	for buyer, body := range map[string]string{
		"owner": bodyOf("phone", "case", "cable"), "ann": bodyOf("phone", "cable"), "bob": bodyOf("phone"),
	} {
		require.Equal(t, http.StatusAccepted, s.pressCart(buyer, body).status, "%s reaches the Stock", buyer)
	}
	require.Len(t, s.stock.purchases(), 3)
}

// TestVerdictClosesTheLatchOfItsLine: the other SKUs of the purchase are still for sale.
func TestVerdictClosesTheLatchOfItsLine(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case")))
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeSoldOut, SKU: "case"})
	s.refused(s.pressCart("ann", bodyOf("phone", "case")), sale.OutcomeSoldOut, map[string]any{"sku": "case"})
	require.NotNil(t, s.closing("case"))
	require.Nil(t, s.closing("phone"))
}

// TestKeyOfOtherLines: the order with the key stays as it is.
func TestKeyOfOtherLines(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case")))
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeKeyReused, OrderID: 9})
	r := s.pressCart("ann", bodyOf("phone", "case"), "Idempotency-Key: k")
	s.refused(r, sale.OutcomeKeyReused, map[string]any{"order_id": "9"})
	require.Equal(t, http.StatusUnprocessableEntity, r.status)
}

func TestReplayOfLinesWithoutARow(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case")))
	s.stock.answer(sale.Answer{Outcome: sale.OutcomeReplayed, OrderID: 7, CreatedAt: noon})
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
	r := s.pressCart("ann", bodyOf("phone", "case"), "Idempotency-Key: k")
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, "queued", r.members(t)["status"])
	require.Len(t, r.members(t)["lines"], 2)
	require.Equal(t, autumnOrders+"/7", r.header.Get("Location"))
}

// TestOrdersOfSeveralLinesAreFoundUnderEachSKU: and under the sale, with and without a row in the database.
func TestOrdersOfSeveralLinesAreFoundUnderEachSKU(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case", "cable")))
	two := rowOf(7, sale.StatusConfirmed)
	two.Lines = append(two.Lines, sale.Line{SKU: "case", Quantity: 3, UnitPriceCents: 200})
	s.store(two, rowOf(9, sale.StatusConfirmed))
	s.hold("ann",
		sale.Holding{OrderID: 7, Lines: []sale.Line{{Number: 1, Quantity: 1}, {Number: 2, Quantity: 3}},
			Status: sale.StatusQueued},
		sale.Holding{OrderID: 8, Lines: []sale.Line{{Number: 2, Quantity: 2}, {Number: 3, Quantity: 4}}, CreatedAt: noon,
			Status: sale.StatusQueued})
	for path, ids := range map[string][]sale.OrderID{
		autumnOrders: {7, 8, 9}, phoneOrders: {7, 9}, "/v1/sales/autumn/items/case/orders": {7, 8},
		"/v1/sales/autumn/items/cable/orders": {8},
	} {
		var page struct{ Orders []sale.Order }
		require.NoError(t, json.Unmarshal([]byte(s.get(path, "ann").body), &page))
		var found []sale.OrderID
		for _, order := range page.Orders {
			found = append(found, order.OrderID)
		}
		require.Equal(t, ids, found, path)
		for _, id := range []sale.OrderID{7, 8, 9} {
			r := s.get(path+"/"+id.String(), "ann")
			if len(ids) == 3 || ids[0] == id || ids[len(ids)-1] == id {
				require.Equal(t, http.StatusOK, r.status, "%s %d", path, id)
			} else {
				s.problem(r, http.StatusNotFound, "order_not_found", "The buyer has no such order", nil)
			}
		}
	}
	held := s.get(autumnOrders+"/8", "ann").members(t)
	require.Equal(t, "queued", held["status"])
	require.Equal(t, []any{
		map[string]any{"sku": "case", "quantity": 2.0, "unit_price_cents": 200.0},
		map[string]any{"sku": "cable", "quantity": 4.0, "unit_price_cents": 300.0},
	}, held["lines"])
	require.EqualValues(t, 1600, held["total_cents"])
	require.EqualValues(t, 1, len(s.get(autumnOrders+"?limit=1&cursor=8", "ann").members(t)["orders"].([]any)))
	s.problem(s.get(autumnOrders+"/7", "bob"), http.StatusNotFound, "order_not_found", "The buyer has no such order", nil)
}

func TestWaitAndCancelUnderTheSale(t *testing.T) {
	s := newScene(t).open(autumn(catalogued("phone", "case")))
	s.run()
	s.hold("ann", sale.Holding{OrderID: 7, Lines: phones(1), CreatedAt: noon, Status: sale.StatusQueued})
	answer := s.ask(autumnOrders+"/7?wait=30s", "ann")
	s.waiting(1)
	s.store(rowOf(7, sale.StatusConfirmed))
	require.Equal(t, "confirmed", (<-answer).members(t)["status"])

	other := s.send(http.MethodDelete, "/v1/sales/autumn/items/case/orders/7", "", bearer("ann"))
	s.problem(other, http.StatusNotFound, "order_not_found", "The buyer has no such order", nil)
	r := s.send(http.MethodDelete, autumnOrders+"/7", "", bearer("ann"))
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.Equal(t, "cancelled", r.members(t)["status"])
	require.Positive(t, s.metric("flashsale_http_request_duration_seconds", "route", "cancel"))
	require.EqualValues(t, 1, s.metric("flashsale_http_request_duration_seconds", "route", "order"))
}

// TestOrderOfAnItemThatIsNotKnownYet: another gateway has sold an item that an operator has just added.
func TestOrderOfAnItemThatIsNotKnownYet(t *testing.T) {
	s := newScene(t).open(autumn())
	s.hold("ann", sale.Holding{OrderID: 7, Lines: []sale.Line{{Number: 2, Quantity: 1}}, Status: sale.StatusQueued})
	s.refused(s.get(autumnOrders, "ann"), sale.OutcomeUnavailable, nil)
	s.refused(s.get(autumnOrders+"/7", "ann"), sale.OutcomeUnavailable, nil)
	require.Equal(t, http.StatusOK, s.get(phoneOrders, "ann").status, "it has no part in the orders of another SKU")
	s.open(autumn(catalogued("phone", "case")))
	require.Equal(t, "case", s.get(autumnOrders+"/7", "ann").members(t)["sku"])
}

// TestPriceIsThatOfTheCatalogue: the buyer is told the price that goes into the record.
func TestPriceIsThatOfTheCatalogue(t *testing.T) {
	s := newScene(t).open(autumn())
	s.open(autumn(func(s *sale.Sale) { s.Items[0].PriceCents = 5 }))
	for _, body := range []string{"", `{"quantity":2}`} {
		require.EqualValues(t, 5, s.press("ann", body).members(t)["unit_price_cents"])
		asked := s.stock.purchases()
		require.EqualValues(t, 5, asked[len(asked)-1].Lines[0].UnitPriceCents)
	}
}
