package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReads asks for everything that buyers may read.
func TestReads(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	d := lasting(phone(10), stockItem{SKU: "watch", Stock: 5, PriceCents: 50, Name: "A watch"})
	d.Name, d.Currency, d.PaymentTTL = "Eleven Eleven", "EUR", new(int)
	s.open("rush", d)
	buyers := "http://" + s.Gateways[0].Buyers
	o := s.taken(ask{buyer: "owner", key: "k"})
	assert.Equal(t, "EUR", o.Currency)
	assert.Empty(t, o.PayBy, "a sale without a payment deadline")
	s.rowsAtRest("rush")

	view := s.request("GET", buyers+"/v1/sales/rush", nil)
	assert.Equal(t, "public, max-age=1", view.header.Get("Cache-Control"))
	shown := view.json(s)
	assert.Equal(t, "open", shown["state"])
	delete(shown, "server_time")
	delete(shown, "state")
	assert.Equal(t, object{"sale": "rush", "name": "Eleven Eleven", "starts_at": d.StartsAt, "ends_at": d.EndsAt,
		"currency": "EUR", "per_buyer_sale_limit": 0.0,
		"items": []any{object{"sku": "phone", "name": "", "price_cents": 129900.0, "sold_out": false},
			object{"sku": "watch", "name": "A watch", "price_cents": 50.0, "sold_out": false}}}, shown)

	clock := s.request("GET", buyers+"/v1/time", nil)
	assert.Equal(t, "no-store", clock.header.Get("Cache-Control"))
	assert.InDelta(t, 0, time.Since(parseTime(t, clock.json(s)["server_time"].(string))).Seconds(), 2)

	readOrders(s, o)
	readEverywhere(s)
	heads(s, o)
}

func readOrders(s *stack, o order) {
	s.t.Helper()
	path := ask{}.path()
	got := s.ordered(s.read(path+"/"+o.OrderID, "owner"), 200)
	assert.Equal(s.t, "confirmed", got.Status)
	begun := time.Now()
	s.ordered(s.read(path+"/"+o.OrderID+"?wait=30s", "owner"), 200)
	assert.Less(s.t, time.Since(begun), time.Second, "a settled order is answered at once")
	s.refused(s.read(path+"/"+o.OrderID, "someone"), 404, "order_not_found")
	for _, id := range []string{"1", "0", "x", "99999999999999999999", "-1"} {
		s.refused(s.read(path+"/"+id, "owner"), 404, "order_not_found")
	}
	s.refused(s.read(ask{sku: "watch"}.path()+"/"+o.OrderID, "owner"), 404, "order_not_found")
	for _, wait := range []string{"31s", "-1s", "soon", "5"} {
		problem := s.refused(s.read(path+"/"+o.OrderID+"?wait="+wait, "owner"), 400, "malformed", "field")
		assert.Equal(s.t, "wait", problem["field"])
	}
	own := s.read(path, "owner")
	require.Equal(s.t, http.StatusOK, own.status)
	var list struct {
		Orders []order `json:"orders"`
	}
	require.NoError(s.t, json.Unmarshal(own.body, &list))
	require.Len(s.t, list.Orders, 1)
	assert.Equal(s.t, o.OrderID, list.Orders[0].OrderID)
	assert.Equal(s.t, `{"orders":[]}`, strings.TrimSpace(string(s.read(path, "someone").body)))
	s.refused(s.request("GET", "http://"+s.Gateways[0].Buyers+path, nil), 401, "unauthenticated")
	s.refused(s.read(ask{sale: "nowhere"}.path(), "owner"), 404, "sale_not_found")
	s.refused(s.read(ask{sku: "nothing"}.path(), "owner"), 404, "sku_not_found")
}

// readEverywhere looks at probes and OpenAPI documents of both listeners.
func readEverywhere(s *stack) {
	s.t.Helper()
	for _, listener := range []string{s.Gateways[0].Buyers, s.Gateways[0].Operators, s.Settles[0].Listen} {
		assert.Equal(s.t, 200, s.request("GET", "http://"+listener+"/livez", nil).status)
		assert.Equal(s.t, 200, s.request("GET", "http://"+listener+"/readyz", nil).status)
	}
	assert.Contains(s.t, s.request("GET", "http://"+s.Gateways[0].Buyers+"/openapi.json", nil).json(s)["paths"],
		"/v1/sales/{sale}/orders")
	for listener, path := range map[string]string{
		s.Gateways[0].Buyers:    "/v1/sales/{sale}/items/{sku}/orders",
		s.Gateways[0].Operators: "/admin/v1/sales/{sale}/items/{sku}/stock",
	} {
		document := s.request("GET", "http://"+listener+"/openapi.json", nil)
		require.Equal(s.t, 200, document.status)
		decoded := document.json(s)
		assert.Regexp(s.t, `^3\.1`, decoded["openapi"], "%s", listener)
		assert.Contains(s.t, decoded["paths"], path)
	}
}

// heads: every GET answers HEAD, with the same status and headers and without a body.
func heads(s *stack, o order) {
	s.t.Helper()
	for _, path := range []string{"/v1/sales/rush", "/v1/time", "/livez", "/readyz", "/openapi.json", ask{}.path(),
		ask{}.path() + "/" + o.OrderID} {
		url := "http://" + s.Gateways[0].Buyers + path
		get := s.request("GET", url, nil, "Authorization", "Bearer "+token("owner"))
		head := s.request("HEAD", url, nil, "Authorization", "Bearer "+token("owner"))
		assert.Equal(s.t, get.status, head.status, path)
		assert.Equal(s.t, get.header.Get("Content-Type"), head.header.Get("Content-Type"), path)
		assert.Empty(s.t, head.body, path)
	}
}
