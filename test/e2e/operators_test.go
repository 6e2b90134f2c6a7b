package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOperators walks through the operators' API, good and bad input alike.
func TestOperators(t *testing.T) {
	s := newStack(t, servers{}).run(2, 1)
	for _, part := range []struct {
		name string
		test func(*stack)
	}{
		{"access", operatorsAccess},
		{"definition", operatorsDefinition},
		{"life", operatorsLife},
		{"preload", operatorsPreload},
		{"list", operatorsList},
		{"stats", operatorsStats},
		{"rules", operatorsRules},
		{"orders", operatorsOrders},
	} {
		t.Run(part.name, func(t *testing.T) {
			one := *s
			one.t = t
			part.test(&one)
		})
	}
	s.audit()
}

func operatorsAccess(s *stack) {
	base := "http://" + s.Gateways[0].Operators
	for _, bearer := range []string{"", "Bearer wrong-token-0123456789", "Basic " + adminToken} {
		answer := s.request("GET", base+"/admin/v1/sales", nil, "Authorization", bearer)
		s.refused(answer, 401, "unauthenticated")
		assert.Equal(s.t, "Bearer", strings.Split(answer.header.Get("WWW-Authenticate"), " ")[0])
	}
	shop := s.request("GET", base+"/admin/v1/orders/1", nil, "Authorization", "Bearer "+shopToken)
	s.refused(shop, 404, "order_not_found")
	require.Contains(s.t, []int{401, 403},
		s.request("GET", base+"/admin/v1/sales", nil, "Authorization", "Bearer "+shopToken).status,
		"the shop's token is for orders only")
	s.refused(s.request("GET", base+"/nothing", nil), 404, "not_found")
	s.refused(s.operate("GET", "/admin/v1/sales/nowhere", nil), 404, "sale_not_found")
	s.refused(s.operate("POST", "/admin/v1/sales/nowhere/open", nil), 404, "sale_not_found")
}

func operatorsDefinition(s *stack) {
	good := lasting(phone(10))
	for field, change := range map[string]func(*definition){
		"ends_at":                  func(d *definition) { d.EndsAt = d.StartsAt },
		"starts_at":                func(d *definition) { d.StartsAt = "tomorrow" },
		"name":                     func(d *definition) { d.Name = "" },
		"items":                    func(d *definition) { d.Items = []stockItem{} },
		"items[1].sku":             func(d *definition) { d.Items = append(d.Items, phone(1)) },
		"items[0].sku":             func(d *definition) { d.Items[0].SKU = "..." },
		"items[0].stock":           func(d *definition) { d.Items[0].Stock = -1 },
		"items[0].per_buyer_limit": func(d *definition) { none := 0; d.Items[0].PerBuyerLimit = &none },
		"buckets":                  func(d *definition) { d.Buckets = 65 },
		"per_buyer_limit":          func(d *definition) { d.PerBuyerLimit = 101 },
		"per_buyer_sale_limit":     func(d *definition) { d.SaleLimit = 1_001 },
		"payment_ttl_s":            func(d *definition) { short := 29; d.PaymentTTL = &short },
		"eligibility":              func(d *definition) { d.Eligibility = "friends" },
		"currency":                 func(d *definition) { d.Currency = "euro" },
	} {
		d := good
		d.Items = append([]stockItem{}, good.Items...)
		change(&d)
		problem := s.refused(s.operate("PUT", "/admin/v1/sales/bad", d), 400, "malformed", "field", "errors")
		assert.Equal(s.t, field, problem["field"])
		require.Len(s.t, problem["errors"], 1, field)
	}
	everyFault(s, good)
	for _, body := range []string{"", "{", "[]", `{"colour":1}`, `{"name":"a","name":"b"}`} {
		answer := s.operate("PUT", "/admin/v1/sales/bad", body)
		s.refused(answer, 400, "malformed", append(s.optional(answer, "field"), s.optional(answer, "errors")...)...)
	}
	s.refused(s.operate("GET", "/admin/v1/sales/bad", nil), 404, "sale_not_found") // nothing half done
	created := s.operate("PUT", "/admin/v1/sales/defaults",
		object{"name": "D", "starts_at": good.StartsAt, "ends_at": good.EndsAt,
			"items": []object{{"sku": "a", "stock": 1, "price_cents": 2}}})
	require.Equal(s.t, http.StatusCreated, created.status, "%s", created.body)
	shown := created.json(s)
	for name, want := range map[string]any{"currency": "CNY", "per_buyer_limit": 1.0, "per_buyer_sale_limit": 0.0,
		"payment_ttl_s": 900.0, "eligibility": "open", "buckets": 1.0, "state": "draft"} {
		assert.Equal(s.t, want, shown[name], name)
	}
	assert.Equal(s.t, http.StatusOK, s.operate("PUT", "/admin/v1/sales/defaults", good).status)
	listed := s.operate("GET", "/admin/v1/sales", nil).json(s)["sales"].([]any)
	require.Len(s.t, listed, 1)
}

// everyFault: a definition of many faults is answered with all of them in the order of its members, of more than fifty with
// the first fifty.
func everyFault(s *stack, good definition) {
	s.t.Helper()
	bad := good
	bad.Name, bad.Buckets = "", 65
	bad.Items = []stockItem{{SKU: "a", Stock: -1}, {SKU: "..", Stock: 1, PriceCents: -1}}
	problem := s.refused(s.operate("PUT", "/admin/v1/sales/bad", bad), 400, "malformed", "field", "errors")
	var fields []any
	for _, fault := range problem["errors"].([]any) {
		fields = append(fields, fault.(object)["field"])
		assert.NotEmpty(s.t, fault.(object)["detail"])
	}
	assert.Equal(s.t, []any{"name", "buckets", "items[0].stock", "items[1].sku", "items[1].price_cents"}, fields)
	assert.Equal(s.t, "name", problem["field"])
	assert.Contains(s.t, problem["detail"], problem["errors"].([]any)[0].(object)["detail"])
	bad.Items = make([]stockItem, 200)
	problem = s.refused(s.operate("PUT", "/admin/v1/sales/bad", bad), 400, "malformed", "field", "errors")
	assert.Len(s.t, problem["errors"], 50)
}

// wrongMove checks that a step is refused and that the sale keeps its state.
func (s *stack) wrongMove(id, verb, state string) {
	s.t.Helper()
	problem := s.refused(s.operate("POST", "/admin/v1/sales/"+id+"/"+verb, nil), 409, "wrong_state", "state")
	assert.Equal(s.t, state, problem["state"])
}

func operatorsLife(s *stack) {
	d := lasting(phone(10))
	s.create("life", d)
	for _, verb := range []string{"open", "pause", "resume", "close"} {
		s.wrongMove("life", verb, "draft")
	}
	s.move("life", "preload")
	s.move("life", "preload")
	s.wrongMove("life", "pause", "preloaded")
	s.wrongMove("life", "resume", "preloaded")
	s.move("life", "open")
	s.move("life", "open")
	s.move("life", "pause")
	s.move("life", "pause")
	s.wrongMove("life", "open", "paused")
	s.move("life", "resume")
	s.eventuallyState(s.Gateways[1], "life", "open")
	// While the sale is open its stock, items, name and end may change; nothing else.
	for what, change := range map[string]func(*definition){
		"price":         func(d *definition) { d.Items[0].PriceCents++ },
		"limit":         func(d *definition) { d.PerBuyerLimit = 2 },
		"sale limit":    func(d *definition) { d.SaleLimit = 5 },
		"item's limit":  func(d *definition) { two := 2; d.Items[0].PerBuyerLimit = &two },
		"buckets":       func(d *definition) { d.Buckets = 2 },
		"a removed SKU": func(d *definition) { d.Items = []stockItem{{SKU: "watch", Stock: 1}} },
		"start":         func(d *definition) { d.StartsAt = at(time.Minute) },
		"currency":      func(d *definition) { d.Currency = "EUR" },
		"payment time":  func(d *definition) { longer := 60; d.PaymentTTL = &longer },
		"eligibility":   func(d *definition) { d.Eligibility = "list" },
	} {
		other := d
		other.Items = append([]stockItem{}, d.Items...)
		change(&other)
		s.refused(s.operate("PUT", "/admin/v1/sales/life", other), 409, "wrong_state", "state")
		s.t.Log(what)
	}
	d.Items[0].Stock, d.EndsAt, d.Name = 15, at(2*time.Hour), "Longer"
	fenced := s.watchFences("life")
	require.Equal(s.t, http.StatusOK, s.operate("PUT", "/admin/v1/sales/life", d).status)
	s.audit("life")
	item := s.operate("GET", "/admin/v1/sales/life/stats", nil).json(s)["items"].([]any)[0].(object)
	assert.EqualValues(s.t, 15, item["available"])
	s.move("life", "preload") // of a sale that is loaded changes nothing
	fenced()
	s.move("life", "close")
	s.wrongMove("life", "open", "closed")
}

// operatorsPreload loads a sale of ten thousand SKUs from two operators at once, with progress.
func operatorsPreload(s *stack) {
	const skus, buckets = 10_000, 4
	d := lasting()
	d.Buckets = buckets
	for i := range skus {
		d.Items = append(d.Items, stockItem{SKU: fmt.Sprintf("sku-%d", i), Stock: 3, PriceCents: 1})
	}
	s.create("wide", d)
	var group sync.WaitGroup
	answers := make([]reply, len(s.Gateways))
	begun := time.Now()
	for i, g := range s.Gateways {
		group.Add(1)
		go func() {
			defer group.Done()
			answers[i] = s.request("POST", "http://"+g.Operators+"/admin/v1/sales/wide/preload", nil,
				"Authorization", "Bearer "+adminToken, "Accept", "text/event-stream")
		}()
	}
	group.Wait()
	s.t.Logf("%d SKUs in %d buckets preloaded in %s", skus, buckets, time.Since(begun).Round(time.Millisecond))
	most := 0.0
	for _, answer := range answers {
		if answer.status == 503 {
			continue // answered to retry, because the other call is still at work
		}
		require.Equal(s.t, 200, answer.status, "%s", answer.body)
		assert.Equal(s.t, "text/event-stream", strings.Split(answer.header.Get("Content-Type"), ";")[0])
		done, total := lastProgress(s, string(answer.body))
		assert.Equal(s.t, total, done)
		most = max(most, total)
	}
	assert.EqualValues(s.t, buckets, most, "one of them loads, the other finds it done")
	s.move("wide", "preload")
	var units int
	require.NoError(s.t, s.DB().QueryRow("SELECT SUM(loaded) FROM stock WHERE sale_id = 'wide'").Scan(&units))
	assert.Equal(s.t, 3*skus, units, "two preloads at once load once")
}

func lastProgress(s *stack, stream string) (done, total float64) {
	s.t.Helper()
	lines := bufio.NewScanner(strings.NewReader(stream))
	event := ""
	for lines.Scan() {
		if name, is := strings.CutPrefix(lines.Text(), "event: "); is {
			event = name
		}
		if data, is := strings.CutPrefix(lines.Text(), "data: "); is && event == "progress" {
			var progress struct{ Done, Total float64 }
			require.NoError(s.t, json.Unmarshal([]byte(data), &progress))
			assert.GreaterOrEqual(s.t, progress.Done, done, "progress never goes back")
			done, total = progress.Done, progress.Total
		}
	}
	return done, total
}

func operatorsList(s *stack) {
	d := lasting(phone(10))
	d.Eligibility = "list"
	s.create("listed", d)
	put := func(list string) reply { return s.operate("PUT", "/admin/v1/sales/listed/buyers", list) }
	require.EqualValues(s.t, 3, put("a\nb\nc\n").json(s)["buyers"])
	const bad, good = 200_000, 1_000_000
	refused := put(idLines(bad-6) + "not a buyer\n" + idLines(6))
	require.Equal(s.t, 400, refused.status, "%s", refused.body)
	assert.Contains(s.t, string(refused.body), fmt.Sprint(bad-5), "the line is named")
	begun := time.Now()
	require.EqualValues(s.t, good, put(idLines(good)).json(s)["buyers"])
	s.t.Logf("%d ids uploaded in %s", good, time.Since(begun).Round(time.Millisecond))
	require.EqualValues(s.t, 2, put("x\ny\nx\n").json(s)["buyers"], "doubled ids count once")
	s.move("listed", "preload")
	require.EqualValues(s.t, 2, put("y\nz").json(s)["buyers"], "before open the list may change")
	s.move("listed", "open")
	s.eventuallyState(s.Gateways[0], "listed", "open")
	s.refused(s.buy(ask{sale: "listed", buyer: "x"}), 403, "not_eligible")
	s.taken(ask{sale: "listed", buyer: "z"})
	s.refused(put("a\n"), 409, "wrong_state", "state")
	s.create("unlisted", lasting(phone(1)))
	s.refused(s.operate("PUT", "/admin/v1/sales/unlisted/buyers", "a\n"), 409, "wrong_state", "state")
}

func idLines(n int) string {
	lines := make([]byte, 0, 13*n)
	for i := range n {
		lines = append(strconv.AppendInt(append(lines, "buyer-"...), int64(i), 10), '\n')
	}
	return string(lines)
}

func operatorsStats(s *stack) {
	d := lasting(stockItem{SKU: "phone", Stock: 10, PriceCents: 1})
	d.Buckets = 3
	s.open("counted", d)
	for i := range 4 {
		s.taken(ask{sale: "counted", buyer: fmt.Sprint("b", i)})
	}
	s.audit("counted")
	stats := s.operate("GET", "/admin/v1/sales/counted/stats", nil).json(s)
	assert.Equal(s.t, object{"loaded": 10.0, "available": 6.0, "in_flight": 0.0, "settled": 4.0, "released": 0.0,
		"conserved": true}, stats["total"])
	item := stats["items"].([]any)[0].(object)
	assert.Len(s.t, item["buckets"], 3)
	delete(item, "buckets")
	assert.Equal(s.t, object{"sku": "phone", "loaded": 10.0, "available": 6.0, "in_flight": 0.0, "settled": 4.0, "released": 0.0,
		"conserved": true}, item)
	assert.Equal(s.t, "open", stats["state"])
	assert.NotEmpty(s.t, stats["at"])
	audit := s.operate("GET", "/admin/v1/sales/counted/audit", nil).json(s)
	assert.Equal(s.t, true, audit["holds"])
	assert.Equal(s.t, []any{object{"sale": "counted", "sku": "phone", "loaded": 10.0, "available": 6.0, "in_flight": 0.0,
		"settled": 4.0, "released": 0.0, "difference": 0.0}}, audit["items"])
	followStats(s)
}

// followStats reads three events of the stream of stats: one each second.
func followStats(s *stack) {
	s.t.Helper()
	request, err := http.NewRequest("GET", "http://"+s.Gateways[0].Operators+"/admin/v1/sales/counted/stats", nil)
	require.NoError(s.t, err)
	request.Header.Set("Authorization", "Bearer "+adminToken)
	request.Header.Set("Accept", "text/event-stream")
	answer, err := operatorClient.Do(request)
	require.NoError(s.t, err)
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	events, begun := 0, time.Now()
	for events < 3 && lines.Scan() {
		if lines.Text() == "event: stats" {
			events++
		}
	}
	assert.Equal(s.t, 3, events)
	assert.InDelta(s.t, 2, time.Since(begun).Seconds(), 1.2)
}

func operatorsRules(s *stack) {
	get := func() object { return s.operate("GET", "/admin/v1/rules", nil).json(s) }
	put := func(body any) reply { return s.operate("PUT", "/admin/v1/rules", body) }
	first := get()
	assert.Equal(s.t, []any{}, first["flow"])
	assert.Nil(s.t, first["buyer"])
	version := first["version"].(float64)
	changed := put(object{"version": version, "flow": []object{{"resource": "purchase", "qps": 5000}}})
	require.Equal(s.t, 200, changed.status, "%s", changed.body)
	assert.Equal(s.t, version+1, changed.json(s)["version"])
	conflict := s.refused(put(object{"version": version, "flow": []object{}}), 409, "version_conflict", "version")
	assert.Equal(s.t, version+1, conflict["version"])
	for field, set := range map[string]object{
		"flow[0].resource":         {"flow": []object{{"resource": "everything", "qps": 1}}},
		"flow[0].qps":              {"flow": []object{{"resource": "purchase", "qps": 0.5}}},
		"isolation[0].concurrency": {"isolation": []object{{"resource": "purchase", "concurrency": 0}}},
		"circuit_breaker[0].strategy": {"circuit_breaker": []object{{"resource": "redis", "strategy": "mood", "threshold": 1,
			"window_ms": 1000, "min_requests": 1, "retry_ms": 1000}}},
		"buyer.per_second": {"buyer": object{"per_second": 0, "burst": 1}},
	} {
		assert.Equal(s.t, field, s.refused(put(set), 400, "malformed", "field", "errors")["field"])
	}
	assert.Equal(s.t, changed.json(s), get(), "a bad set changes nothing")
	// Every gateway runs a new set within a second, while buyers press.
	s.open("ruled", lasting(phone(1_000)))
	begun := time.Now()
	put(object{"flow": []object{{"resource": "purchase", "qps": 0}}})
	for i := range s.Gateways {
		require.Eventually(s.t, func() bool {
			return s.buy(ask{gateway: i, sale: "ruled", buyer: fmt.Sprint("r", time.Now().UnixNano())}).status == 429
		}, 3*time.Second, 5*time.Millisecond)
	}
	assert.Less(s.t, time.Since(begun), time.Second)
	assert.Equal(s.t, object{"per_second": 5.0, "burst": 10.0}, put(object{}).json(s)["buyer"], "left out is the default")
	assert.Nil(s.t, put(object{"buyer": nil}).json(s)["buyer"], "null is off")
	for i := range s.Gateways {
		require.Eventually(s.t, func() bool {
			return s.buy(ask{gateway: i, sale: "ruled", buyer: fmt.Sprint("r", time.Now().UnixNano())}).status == 202
		}, 3*time.Second, 5*time.Millisecond)
	}
}

func operatorsOrders(s *stack) {
	s.open("asked", lasting(phone(5)))
	o := s.taken(ask{sale: "asked", buyer: "whose"})
	s.audit("asked")
	for _, bearer := range []string{adminToken, shopToken} {
		answer := s.request("GET", "http://"+s.Gateways[0].Operators+"/admin/v1/orders/"+o.OrderID, nil, "Authorization",
			"Bearer "+bearer)
		require.Equal(s.t, 200, answer.status, "%s", answer.body)
		assert.Equal(s.t, "whose", answer.json(s)["buyer_id"])
		assert.Equal(s.t, "confirmed", answer.json(s)["status"])
	}
	s.refused(s.operate("GET", "/admin/v1/orders/12345", nil), 404, "order_not_found")
	s.refused(s.operate("GET", "/admin/v1/orders/none", nil), 404, "order_not_found")
}
