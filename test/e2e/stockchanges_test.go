package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// change asks to add units to a SKU, or with a negative number to take them back.
func (s *stack) change(id, sku, key string, add int) reply {
	s.t.Helper()
	return s.restock(id, sku, object{"add": add}, "Idempotency-Key", key)
}

// restock is change with another body and headers.
func (s *stack) restock(id, sku string, body any, headers ...string) reply {
	s.t.Helper()
	url := "http://" + s.Gateways[0].Operators + "/admin/v1/sales/" + id + "/items/" + sku + "/stock"
	return s.request("POST", url, body, append(headers, "Authorization", "Bearer "+adminToken)...)
}

// changed makes a change that has to succeed with these units, and returns the body of its answer.
func (s *stack) changed(id, sku, key string, add, added, loaded int) string {
	s.t.Helper()
	r := s.change(id, sku, key, add)
	require.Equal(s.t, http.StatusOK, r.status, "%s", r.body)
	require.Equal(s.t, object{"sku": sku, "added": float64(added), "loaded": float64(loaded)}, r.json(s))
	return string(r.body)
}

// put changes the definition of a sale, which has to succeed.
func (s *stack) put(id string, d definition) object {
	s.t.Helper()
	r := s.operate("PUT", "/admin/v1/sales/"+id, d)
	require.Equal(s.t, http.StatusOK, r.status, "%s", r.body)
	return r.json(s)
}

// units reads the counters of a SKU in the stats.
func (s *stack) units(id, sku string) object {
	s.t.Helper()
	for _, item := range s.operate("GET", "/admin/v1/sales/"+id+"/stats", nil).json(s)["items"].([]any) {
		if item.(object)["sku"] == sku {
			return item.(object)
		}
	}
	require.Fail(s.t, "no such SKU", sku)
	return nil
}

// TestStockChanges: what operators may do to the stock and the items of a sale that sells, good and bad input alike. No
// bucket is fenced meanwhile.
func TestStockChanges(t *testing.T) {
	s := newStack(t, servers{}).run(2, 1)
	for _, part := range []struct {
		name string
		test func(*stack)
	}{
		{"bad input", badStockChanges},
		{"raised", stockRaised},
		{"at once", changesAtOnce},
		{"taken back", stockTakenBack},
		{"put", stockPut},
		{"new items", itemsAdded},
		{"new prices", pricesChanged},
	} {
		t.Run(part.name, func(t *testing.T) {
			one := *s
			one.t = t
			part.test(&one)
		})
	}
	s.audit()
}

func badStockChanges(s *stack) {
	id := named(s)
	d := cartSale()
	s.create(id, d)
	assert.Equal(s.t, "draft", s.refused(s.change(id, "phone", "k", 5), 409, "wrong_state", "state")["state"])
	s.move(id, "preload")
	for _, body := range []string{``, `{}`, `{"add":0}`, `{"add":-0}`, `{"add":10000001}`, `{"add":-10000001}`, `{"add":1.5}`,
		`{"add":"5"}`, `{"add":null}`, `{"add":1,"add":1}`, `{"add":99999999999999999999}`, `{"add":1,"sku":"phone"}`, `[5]`} {
		r := s.restock(id, "phone", body, "Idempotency-Key", "bad")
		s.refused(r, 400, "malformed", append(s.optional(r, "field"), s.optional(r, "errors")...)...)
	}
	beyond := s.refused(s.change(id, "phone", "beyond", sale.MaxStock), 400, "malformed", "field", "errors") // ten are there
	assert.Equal(s.t, "add", beyond["field"])
	assert.Contains(s.t, beyond["detail"], "10000000")
	noKey := s.refused(s.restock(id, "phone", object{"add": 5}), 400, "malformed", "field", "errors")
	assert.Equal(s.t, "Idempotency-Key", noKey["field"])
	for _, key := range []string{`""`, `"`, `a"b`, `a\b`, `"a "`, strings.Repeat("k", 129)} {
		bad := s.refused(s.change(id, "phone", key, 5), 400, "malformed", "field", "errors")
		assert.Equal(s.t, "Idempotency-Key", bad["field"], key)
	}
	s.refused(s.change("nowhere", "phone", "k", 5), 404, "sale_not_found")
	for _, sku := range []string{"none", "PHONE", strings.Repeat("p", 65), "..."} {
		assert.Equal(s.t, sku, s.refused(s.change(id, sku, "k", 5), 404, "sku_not_found", "sku")["sku"])
	}
	url := "http://" + s.Gateways[0].Operators + "/admin/v1/sales/" + id + "/items/phone/stock"
	for _, bearer := range []string{"", "Bearer " + shopToken, "Bearer " + token("b")} {
		r := s.request("POST", url, object{"add": 5}, "Idempotency-Key", "k", "Authorization", bearer)
		require.Contains(s.t, []int{401, 403}, r.status, "%s", r.body)
	}
	s.refused(s.operate("GET", "/admin/v1/sales/"+id+"/items/phone/stock", nil), 405, "method_not_allowed")

	first := s.changed(id, "phone", "k", 5, 5, 15)
	s.changed(id, "case", "k", -1, -1, 9) // a key belongs to sale and SKU
	for _, other := range []int{4, -5, 6} {
		s.refused(s.change(id, "phone", "k", other), 422, "idempotency_key_reused")
	}
	s.move(id, "open")
	s.move(id, "close")
	assert.Equal(s.t, "closed", s.refused(s.change(id, "phone", "late", 1), 409, "wrong_state", "state")["state"])
	assert.Equal(s.t, first, string(s.change(id, "phone", `"k"`, 5).body), "repeated, also quoted and later, the same")
	s.refused(s.change(id, "phone", "k", 4), 422, "idempotency_key_reused")
	d.Items[0].Stock = 16
	s.refused(s.operate("PUT", "/admin/v1/sales/"+id, d), 409, "wrong_state", "state")
	assert.EqualValues(s.t, 15, s.units(id, "phone")["loaded"])
	assert.EqualValues(s.t, 9, s.units(id, "case")["loaded"])
}

// stockRaised: added units open the sold-out latch of every gateway and sell within a second of the answer.
func stockRaised(s *stack) {
	id := named(s)
	d := lasting(phone(1), stockItem{SKU: "case", Stock: 5, PriceCents: 900})
	d.Buckets = 4
	s.open(id, d)
	unfenced := s.watchFences(id)
	s.eventuallyTaken(ask{sale: id, buyer: "first"})
	for round := range 3 {
		for g := range s.Gateways {
			s.soon("sold out", func() bool {
				return s.buy(ask{gateway: g, sale: id, buyer: "stranger"}).json(s)["code"] == "sold_out"
			})
		}
		body := s.changed(id, "phone", strconv.Itoa(round), 2, 2, 3+2*round)
		since := time.Now()
		assert.Equal(s.t, body, string(s.change(id, "phone", strconv.Itoa(round), 2).body), "once for each key")
		for g := range s.Gateways {
			buyer := homeBuyer(round, g)
			s.withinASecond(since, "a unit that was added is sold", func() bool {
				return s.buy(ask{gateway: g, sale: id, buyer: buyer}).status == 202
			})
		}
	}
	unfenced()
	assert.Equal(s.t, 7, s.rowsAtRest(id).units["phone"])
}

// changesAtOnce: requests with one key at the same moment, at both gateways, make one change.
func changesAtOnce(s *stack) {
	id := named(s)
	s.open(id, bucketed(10))
	for key, add := range map[string]int{"add": 7, "take": -4} {
		const requests = 8
		answers := make(chan reply, requests)
		for n := range requests {
			url := "http://" + s.Gateways[n%2].Operators + "/admin/v1/sales/" + id + "/items/phone/stock"
			go func() {
				answers <- s.request("POST", url, object{"add": add}, "Idempotency-Key", key,
					"Authorization", "Bearer "+adminToken)
			}()
		}
		bodies := map[string]int{}
		for range requests {
			answer := <-answers
			require.Equal(s.t, http.StatusOK, answer.status, "%s", answer.body)
			bodies[string(answer.body)]++
		}
		assert.Len(s.t, bodies, 1, "%v", bodies)
	}
	s.audit(id)
	assert.EqualValues(s.t, 13, s.units(id, "phone")["loaded"])
	assert.EqualValues(s.t, 13, s.units(id, "phone")["available"])
}

// stockTakenBack: only unsold units can be taken back, from whatever bucket has them.
func stockTakenBack(s *stack) {
	id := named(s)
	s.open(id, bucketed(10))
	unfenced := s.watchFences(id)
	for n := range 4 {
		s.eventuallyTaken(ask{sale: id, buyer: homeBuyer(1, n)})
	}
	s.changed(id, "phone", "a", -3, -3, 7)
	body := s.changed(id, "phone", "b", -100, -3, 4)
	assert.Equal(s.t, body, string(s.change(id, "phone", "b", -100).body))
	s.changed(id, "phone", "c", -1, 0, 4)
	s.eventuallyRefused(ask{sale: id, buyer: "late"}, "sold_out", object{"sku": "phone"})
	shown := s.operate("GET", "/admin/v1/sales/"+id, nil).json(s)["items"].([]any)[0].(object)
	assert.EqualValues(s.t, 4, shown["stock"], "the definition shows what is there")
	s.changed(id, "phone", "d", 1, 1, 5)
	s.eventuallyTaken(ask{sale: id, buyer: "late"})
	s.audit(id)
	s.emptyBuckets(id, 5)
	unfenced()
}

// stockPut: a definition with another stock raises and lowers it in one request, without a preload.
func stockPut(s *stack) {
	id := named(s)
	d := cartSale()
	s.open(id, d)
	unfenced := s.watchFences(id)
	s.eventuallyTaken(ask{sale: id, buyer: "b", lines: cart("phone", 1, "case", 1)})
	d.Items[0].Stock, d.Items[1].Stock, d.Name = 12, 4, "Another"
	shown := s.put(id, d)["items"].([]any)
	assert.EqualValues(s.t, 12, shown[0].(object)["stock"])
	assert.EqualValues(s.t, 4, shown[1].(object)["stock"])
	again := s.put(id, d)
	assert.Equal(s.t, shown, again["items"], "again, the same")
	d.Items[1].Stock = 0
	shown = s.put(id, d)["items"].([]any)
	assert.EqualValues(s.t, 1, shown[1].(object)["stock"], "the case that is sold")
	s.eventuallyRefused(ask{sale: id, buyer: "c", lines: cart("phone", 1, "case", 1)}, "sold_out", object{"sku": "case"})
	for n := range 11 {
		s.eventuallyTaken(ask{sale: id, buyer: "more-" + strconv.Itoa(n)})
	}
	s.eventuallyRefused(ask{sale: id, buyer: "c"}, "sold_out", object{"sku": "phone"})
	s.move(id, "preload") // changes nothing
	s.audit(id)
	s.emptyBuckets(id, 13)
	unfenced()
}

// itemsAdded: a SKU that a definition adds while the sale sells is sold within a second, to buyers of every bucket and
// beside others.
func itemsAdded(s *stack) {
	id := named(s)
	d := cartSale()
	s.open(id, d)
	unfenced := s.watchFences(id)
	s.refused(s.buy(ask{sale: id, sku: "watch", buyer: "early"}), 404, "sku_not_found")
	two := 2
	d.Items = append([]stockItem{{SKU: "watch", Stock: 8, PriceCents: 50_000, PerBuyerLimit: &two},
		{SKU: "strap", PriceCents: 10}}, d.Items...)
	s.put(id, d)
	since := time.Now()
	for g := range s.Gateways {
		s.withinASecond(since, "the new SKU is sold", func() bool {
			return s.buy(ask{gateway: g, sale: id, sku: "watch", buyer: homeBuyer(g, 0)}).status == 202
		})
	}
	o := s.eventuallyTaken(ask{sale: id, buyer: homeBuyer(3, 0), lines: cart("phone", 1, "watch", 2)})
	assert.Equal(s.t, []history.Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 129900},
		{SKU: "watch", Quantity: 2, UnitPriceCents: 50_000}}, o.Lines)
	assert.Equal(s.t, "watch", s.refused(s.buy(ask{sale: id, sku: "watch", buyer: homeBuyer(3, 0)}), 409, "already_bought",
		boughtMembers...)["sku"])
	s.eventuallyRefused(ask{sale: id, buyer: "s", sku: "strap"}, "sold_out", object{"sku": "strap"})
	s.changed(id, "strap", "k", 1, 1, 1)
	s.eventuallyTaken(ask{sale: id, buyer: "s", sku: "strap"})
	s.eventuallyTaken(ask{sale: id, buyer: homeBuyer(2, 0), lines: cart("watch", 2)})
	s.eventuallyTaken(ask{sale: id, buyer: homeBuyer(2, 1), lines: cart("watch", 2)})
	s.eventuallyRefused(ask{sale: id, buyer: "late", sku: "watch"}, "sold_out", object{"sku": "watch"})
	assert.Equal(s.t, map[string]int{"watch": 8, "phone": 1, "strap": 1}, s.rowsAtRest(id).units)
	unfenced()
}

// pricesChanged: a price that changes while the sale is paused is in the orders from then on. Older orders keep theirs, also
// one that settles after the change.
func pricesChanged(s *stack) {
	id := named(s)
	d := cartSale()
	s.open(id, d)
	settled := s.taken(ask{sale: id, buyer: "settled", key: "k", lines: cart("phone", 1, "case", 2)})
	s.becomes(settled, "settled", "confirmed")
	d.Items[0].PriceCents = 99_900
	s.refused(s.operate("PUT", "/admin/v1/sales/"+id, d), 409, "wrong_state", "state")
	s.Settles[0].Pause()
	queued := s.taken(ask{sale: id, buyer: "queued", key: "k"})
	s.move(id, "pause")
	s.put(id, d)
	s.move(id, "resume")
	for _, g := range s.Gateways {
		s.eventuallyState(g, id, "open")
	}
	since := time.Now()
	for g := range s.Gateways {
		s.withinASecond(since, "the view shows the price", func() bool {
			view := s.request("GET", "http://"+s.Gateways[g].Buyers+"/v1/sales/"+id, nil).json(s)
			return view["items"].([]any)[0].(object)["price_cents"] == 99_900.0
		})
	}
	dear := s.taken(ask{sale: id, buyer: "new", lines: cart("case", 1, "phone", 2)})
	assert.EqualValues(s.t, 2*99_900+900, dear.TotalCents)
	s.Settles[0].Continue()
	for _, o := range []struct {
		order
		buyer string
	}{{settled, "settled"}, {queued, "queued"}, {dear, "new"}} {
		now := s.becomes(o.order, o.buyer, "confirmed")
		assert.Equal(s.t, o.Lines, now.Lines, o.buyer)
		assert.Equal(s.t, o.TotalCents, now.TotalCents, o.buyer)
	}
	assert.EqualValues(s.t, 129_900, queued.UnitPriceCents)
	replayed := s.ordered(s.buy(ask{sale: id, buyer: "queued", key: "k"}), 200)
	assert.EqualValues(s.t, 129_900, replayed.UnitPriceCents, "the order as it is")
	s.audit(id)
}
