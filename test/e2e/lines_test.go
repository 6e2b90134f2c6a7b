package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
)

// cartSale defines a sale of ten phones and cases in four buckets: a buyer may have three of each and four in all.
func cartSale() definition {
	d := lasting(phone(10), stockItem{SKU: "case", Stock: 10, PriceCents: 900})
	d.PerBuyerLimit, d.SaleLimit, d.Buckets = 3, 4, 4
	return d
}

// cart writes the lines of a purchase as JSON; the quantities follow their SKUs.
func cart(parts ...any) string {
	var lines []string
	for i := 0; i+1 < len(parts); i += 2 {
		lines = append(lines, fmt.Sprintf(`{"sku":%q,"quantity":%v}`, parts[i], parts[i+1]))
	}
	return "[" + strings.Join(lines, ",") + "]"
}

// skusOf returns a cart of n distinct SKUs that no sale has.
func skusOf(n int) string {
	parts := make([]any, 0, 2*n)
	for i := range n {
		parts = append(parts, fmt.Sprintf("sku-%d", i), 1)
	}
	return cart(parts...)
}

// TestOrdersOfSeveralLines: bad lines are refused with their place, refusals name the line at fault, and an order of several
// lines is read, listed and cancelled on the path of the sale and on that of each of its SKUs.
func TestOrdersOfSeveralLines(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	for _, part := range []struct {
		name string
		test func(*stack)
	}{
		{"malformed lines", malformedLines},
		{"lines at fault", linesAtFault},
		{"names", namesOfSKUs},
		{"read and cancelled", severalLinesRead},
	} {
		t.Run(part.name, func(t *testing.T) {
			one := *s
			one.t = t
			part.test(&one)
		})
	}
	s.audit()
}

func malformedLines(s *stack) {
	id := named(s)
	s.open(id, cartSale())
	for body, field := range map[string]string{
		"":                             "lines",
		`{}`:                           "lines",
		`{"lines":[]}`:                 "lines",
		`{"lines":null}`:               "lines",
		`{"lines":{"sku":"phone"}}`:    "lines",
		`{"lines":` + skusOf(21) + `}`: "lines",
		`{"lines":[{"sku":"phone"}],"quantity":1}`: "lines",
		`{"quantity":1,"lines":[{"sku":"phone"}]}`: "lines",
		`{"quantity":1}`: "lines",
		`{"lines":[{"sku":"phone"}],"lines":[{"sku":"case"}]}`:          "lines",
		`{"lines":` + cart("phone", 1, "case", 1, "phone", 1) + `}`:     "lines[2].sku",
		`{"lines":[{"quantity":1}]}`:                                    "lines[0].sku",
		`{"lines":[{"sku":"phone"},{"sku":7}]}`:                         "lines[1].sku",
		`{"lines":` + cart("case", 1, strings.Repeat("p", 65), 1) + `}`: "lines[1].sku",
		`{"lines":` + cart("...", 1) + `}`:                              "lines[0].sku",
		`{"lines":` + cart("", 1) + `}`:                                 "lines[0].sku",
		`{"lines":` + cart("phone", 0) + `}`:                            "lines[0].quantity",
		`{"lines":` + cart("phone", 1, "case", 101) + `}`:               "lines[1].quantity",
		`{"lines":` + cart("phone", -1) + `}`:                           "lines[0].quantity",
		`{"lines":` + cart("phone", 1.5) + `}`:                          "lines[0].quantity",
		`{"lines":[{"sku":"phone","quantity":"1"}]}`:                    "lines[0].quantity",
		`{"lines":[{"sku":"phone","quantity":1,"quantity":2}]}`:         "lines[0].quantity",
		`{"lines":[{"sku":"phone","colour":"red"}]}`:                    "lines[0].colour",
		`{"lines":["phone"]}`:                                           "lines[0]",
		`{"lines":[{"sku":"phone"}],"coupon":7}`:                        "coupon",
	} {
		problem := s.refused(s.buy(ask{sale: id, buyer: "b", ofSale: true, body: body}), 400, "malformed", "field")
		assert.Equal(s.t, field, problem["field"], body)
		assert.NotEmpty(s.t, problem["detail"])
	}
	mixed := s.buy(ask{sale: id, buyer: "b", body: `{"lines":[{"sku":"phone"}]}`}) // on the path of an item
	assert.Equal(s.t, "lines", s.refused(mixed, 400, "malformed", "field")["field"])
	s.refused(s.buy(ask{sale: "nowhere", bearer: "-", lines: "[]"}), 400, "malformed", "field")
	s.refused(s.buy(ask{sale: "nowhere", bearer: "-", lines: cart("phone", 1)}), 404, "sale_not_found")
	for _, unknown := range []string{cart("phone", 1, "none", 1), cart("none", 1, "phone", 1), skusOf(20)} {
		problem := s.refused(s.buy(ask{sale: id, bearer: "-", lines: unknown}), 404, "sku_not_found", "sku")
		assert.Contains(s.t, []any{"none", "sku-0"}, problem["sku"])
	}
	only := s.taken(ask{sale: id, buyer: "one", lines: `[{"sku":"case"}]`}) // one line on the path of the sale
	assert.Equal(s.t, []history.Line{{SKU: "case", Quantity: 1, UnitPriceCents: 900}}, only.Lines)
	assert.Len(s.t, s.rowsAtRest(id).rows, 1, "nothing of what was refused was taken")
}

// linesAtFault: nothing of a refused purchase is taken, and the refusal names the first line at fault.
func linesAtFault(s *stack) {
	id := named(s)
	s.open(id, cartSale())
	refused := func(buyer, lines, code string, want object) {
		s.t.Helper()
		names := make([]string, 0, len(want))
		for name := range want {
			names = append(names, name)
		}
		problem := s.refused(s.buy(ask{sale: id, buyer: buyer, lines: lines}), 409, code, names...)
		for name, value := range want {
			if value != nil {
				assert.Equal(s.t, value, problem[name], "%s of %s", name, lines)
			}
		}
	}
	refused("a", cart("phone", 1, "case", 4), "over_limit", object{"scope": "sku", "sku": "case", "limit": 3.0})
	refused("a", cart("phone", 3, "case", 2), "over_limit", object{"scope": "sale", "limit": 4.0})
	first := s.taken(ask{sale: id, buyer: "a", lines: cart("phone", 2, "case", 1)})
	assert.EqualValues(s.t, 2*129900+900, first.TotalCents)
	refused("a", cart("case", 1, "phone", 2), "already_bought",
		object{"scope": "sku", "sku": "phone", "limit": 3.0, "bought": 2.0, "order_id": first.OrderID})
	refused("a", cart("case", 1, "phone", 1), "already_bought",
		object{"scope": "sale", "limit": 4.0, "bought": 3.0, "order_id": first.OrderID})
	for n := range 3 { // three phones are left: 10 - 2, less one cart of two for each of these buyers, less one
		s.taken(ask{sale: id, buyer: fmt.Sprintf("b-%d", n), lines: cart("phone", 2)})
	}
	s.eventuallyTaken(ask{sale: id, buyer: "c", lines: cart("phone", 1, "case", 1)})
	s.eventuallyRefused(ask{sale: id, buyer: "d", lines: cart("case", 1, "phone", 3)}, "not_enough",
		object{"sku": "phone", "available": 1.0})
	s.eventuallyTaken(ask{sale: id, buyer: "e", lines: cart("phone", 1)})
	s.eventuallyRefused(ask{sale: id, buyer: "d", lines: cart("case", 1, "phone", 1)}, "sold_out", object{"sku": "phone"})
	b := s.rowsAtRest(id)
	assert.Equal(s.t, map[string]int{"phone": 10, "case": 2}, b.units, "nothing of what was refused was taken")
}

// eventuallyTaken buys until the purchase is taken: units may be on their way between two buckets.
func (s *stack) eventuallyTaken(a ask) order {
	s.t.Helper()
	var answer reply
	s.soon("taken", func() bool { answer = s.buy(a); return answer.status == 202 })
	return s.ordered(answer, 202)
}

// eventuallyRefused buys until the purchase is refused with a code of status 409, and compares these members.
func (s *stack) eventuallyRefused(a ask, code string, want object) {
	s.t.Helper()
	var answer reply
	s.soon(code, func() bool { answer = s.buy(a); return answer.json(s)["code"] == code })
	names := make([]string, 0, len(want))
	for name := range want {
		names = append(names, name)
	}
	problem := s.refused(answer, 409, code, names...)
	for name, value := range want {
		assert.Equal(s.t, value, problem[name], name)
	}
}

// refuseReusedKeyOfLines: a key belongs to a set of lines, whatever their order.
func refuseReusedKeyOfLines(s *stack, id string) {
	s.t.Helper()
	both := s.taken(ask{sale: id, buyer: "lines", key: "k", lines: cart("phone", 1, "watch", 2)})
	again := s.ordered(s.buy(ask{sale: id, buyer: "lines", key: "k", lines: cart("watch", 2, "phone", 1)}), 200)
	assert.Equal(s.t, both.OrderID, again.OrderID)
	assert.ElementsMatch(s.t, both.Lines, again.Lines)
	for _, other := range []string{cart("phone", 1), cart("watch", 2), cart("phone", 2, "watch", 1),
		cart("phone", 1, "watch", 3)} {
		problem := s.refused(s.buy(ask{sale: id, buyer: "lines", key: "k", lines: other}), 422, "idempotency_key_reused",
			"order_id")
		assert.Equal(s.t, both.OrderID, problem["order_id"], other)
	}
	one := s.taken(ask{sale: id, buyer: "one", key: "k", body: `{"quantity":2}`})
	same := s.buy(ask{sale: id, buyer: "one", key: "k", lines: cart("phone", 2)})
	assert.Equal(s.t, one.OrderID, s.ordered(same, 200).OrderID, "one line, at the other path")
}

// namesOfSKUs: names of 64 characters and those that differ in case alone are SKUs of their own.
func namesOfSKUs(s *stack) {
	long := strings.Repeat("S", 63)
	id := "Names-of-SKUs." + strings.Repeat("x", 50)
	require.Len(s.t, id, 64)
	skus := []string{"A", "a", long + "1", long + "2", "a.b-c_d..", "0"}
	d := lasting()
	for i, sku := range skus {
		d.Items = append(d.Items, stockItem{SKU: sku, Stock: 1, PriceCents: 100 + i})
	}
	for _, bad := range []string{strings.Repeat("s", 65), ".", "..", "...", "_a", "-a", "a b", "a/b", "ä", "a:b", "{a}", ""} {
		other := d
		other.Items = append([]stockItem{{SKU: bad, Stock: 1}}, d.Items...)
		problem := s.refused(s.operate("PUT", "/admin/v1/sales/"+id, other), 400, "malformed", "field", "errors")
		assert.Equal(s.t, "items[0].sku", problem["field"], "%q", bad)
	}
	for _, bad := range []string{strings.Repeat("s", 65), "...", "_a", "-a", "a%20b", "a%2Fb", "%C3%A4"} {
		s.refused(s.operate("PUT", "/admin/v1/sales/"+bad, d), 404, "sale_not_found")
	}
	s.open(id, d)
	s.refused(s.buy(ask{sale: strings.ToLower(id), bearer: "-"}), 404, "sale_not_found")
	s.refused(s.buy(ask{sale: id, sku: strings.Repeat("S", 65), bearer: "-"}), 404, "sku_not_found")
	for i, sku := range skus {
		o := s.taken(ask{sale: id, sku: sku, buyer: "b"})
		assert.Equal(s.t, sku, o.SKU)
		assert.EqualValues(s.t, 100+i, o.UnitPriceCents)
	}
	for _, sku := range skus {
		assert.Equal(s.t, sku, s.refused(s.buy(ask{sale: id, sku: sku, buyer: "c"}), 409, "sold_out", "sku")["sku"])
	}
	b := s.rowsAtRest(id)
	require.Len(s.t, b.rows, len(skus))
	assert.Equal(s.t, 1, b.units["A"])
	assert.Equal(s.t, 1, b.units["a"])
}

func severalLinesRead(s *stack) {
	id := named(s)
	s.open(id, cartSale())
	both := s.taken(ask{sale: id, buyer: "b", lines: cart("phone", 2, "case", 1)})
	only := s.taken(ask{sale: id, sku: "case", buyer: "b"})
	s.rowsAtRest(id)
	all, phones, cases := ask{sale: id, ofSale: true}.path(), ask{sale: id}.path(), ask{sale: id, sku: "case"}.path()
	for _, path := range []string{all, phones, cases} {
		read := s.ordered(s.read(path+"/"+both.OrderID+"?wait=5s", "b"), 200)
		assert.Equal(s.t, "confirmed", read.Status)
		assert.Equal(s.t, both.Lines, read.Lines)
		assert.Equal(s.t, both.TotalCents, read.TotalCents)
		s.refused(s.read(path+"/"+both.OrderID, "other"), 404, "order_not_found")
	}
	s.refused(s.read(phones+"/"+only.OrderID, "b"), 404, "order_not_found")
	ids := func(path string) (list []any) {
		for _, o := range s.read(path, "b").json(s)["orders"].([]any) {
			list = append(list, o.(object)["order_id"])
		}
		return list
	}
	assert.Equal(s.t, []any{both.OrderID, only.OrderID}, ids(all))
	assert.Equal(s.t, []any{both.OrderID}, ids(phones))
	assert.Equal(s.t, []any{both.OrderID, only.OrderID}, ids(cases))
	shown := s.shown(both.OrderID)
	assert.NotContains(s.t, shown, "sku")
	assert.Equal(s.t, []any{object{"sku": "phone", "quantity": 2.0, "unit_price_cents": 129900.0},
		object{"sku": "case", "quantity": 1.0, "unit_price_cents": 900.0}}, shown["lines"])
	cancelled := s.ordered(s.cancel(both, "b"), 200)
	assert.Equal(s.t, "cancelled", cancelled.Status)
	assert.Equal(s.t, both.Lines, cancelled.Lines)
	next := s.eventuallyTaken(ask{sale: id, buyer: "b", lines: cart("phone", 3)}) // both lines count no more
	s.becomes(next, "b", "confirmed")
	require.Equal(s.t, 200, s.request("DELETE", "http://"+s.Gateways[0].Buyers+cases+"/"+only.OrderID, nil, "Authorization",
		"Bearer "+token("b")).status)
	s.audit(id)
	s.nothingWaits("outbox")
	stats := s.operate("GET", "/admin/v1/sales/"+id+"/stats", nil).json(s)["items"].([]any)
	for i, available := range []float64{7, 10} {
		assert.Equal(s.t, available, stats[i].(object)["available"], "%v", stats[i])
	}
}
