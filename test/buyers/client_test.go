package buyers

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
)

type reply struct {
	status int
	body   string
}

// fakeGateway answers both listeners with one answer after the other, and repeats the last.
type fakeGateway struct {
	*httptest.Server
	mu      sync.Mutex
	answers []reply
	asked   []string // method, path, authorization, key and body
}

func newGateway(t *testing.T) *fakeGateway {
	g := &fakeGateway{answers: []reply{{http.StatusConflict, `{"code":"sold_out","status":409}`}}}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *fakeGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a test's client sends whole bodies
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")[:len("Bearer x")]+" "+
		r.Header.Get("Idempotency-Key")+" "+string(body))
	a := g.answers[0]
	if len(g.answers) > 1 {
		g.answers = g.answers[1:]
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (g *fakeGateway) deployment(gateways int) *Deployment {
	d := &Deployment{Secret: "secret", Shop: "shop", Operator: "operator"}
	for range gateways {
		d.Gateways = append(d.Gateways, Gateway{g.Listener.Addr().String(), g.Listener.Addr().String()})
	}
	return d
}

func TestEveryQuestionHasItsRequest(t *testing.T) {
	g := newGateway(t)
	with := g.deployment(1).NewClient()
	defer with.Close()
	for want, q := range map[string]history.Question{
		"POST /v1/sales/s/items/a/orders Bearer e \"k\" {\"quantity\":2}": {Verb: history.Buy, Key: "k", Quantity: 2},
		"POST /v1/sales/s/items/a/orders Bearer e  ":                      {Verb: history.Buy},
		"POST /v1/sales/s/orders Bearer e \"k\" {\"lines\":[{\"sku\":\"a\",\"quantity\":2},{\"sku\":\"B.c\",\"quantity\":1}]}": {
			Verb: history.Buy, Key: "k", Lines: "a:2,B.c:1"},
		"GET /v1/sales/s/orders/7 Bearer e  ":                             {Verb: history.Read, Order: "7", Lines: "a:1,b:1"},
		"GET /v1/sales/s/items/a/orders Bearer e  ":                       {Verb: history.List},
		"GET /v1/sales/s/items/a/orders/7 Bearer e  ":                     {Verb: history.Read, Order: "7"},
		"DELETE /v1/sales/s/items/a/orders/7 Bearer e  ":                  {Verb: history.Cancel, Order: "7"},
		"DELETE /admin/v1/orders/7 Bearer s  ":                            {Verb: history.ShopCancel, Order: "7"},
		"PUT /admin/v1/orders/7/payment Bearer s  {\"payment_id\":\"p\"}": {Verb: history.Pay, Order: "7", Payment: "p"},
		"POST /admin/v1/sales/s/pause Bearer o  ":                         {Verb: history.Pause},
		"POST /admin/v1/sales/s/resume Bearer o  ":                        {Verb: history.Resume},
	} {
		q.Sale, q.SKU, q.Buyer = "s", "a", "b"
		if q.Lines != "" {
			q.SKU = ""
		}
		g.asked = nil
		assert.Equal(t, history.Answer{End: history.Refused, Status: 409, Code: "sold_out"}, with.Ask(q))
		assert.Equal(t, []string{want}, g.asked)
	}
}

// TestWhatNobodyCanKnow: without a connection nothing was sent; what breaks afterwards is perhaps; a connection that the
// gateway closed between two questions is opened again.
func TestWhatNobodyCanKnow(t *testing.T) {
	g := newGateway(t)
	d := g.deployment(1)
	with := d.NewClient()
	q := history.Question{Verb: history.Buy, Sale: "s", SKU: "a", Buyer: "b"}
	require.Equal(t, "sold_out", with.Ask(q).Code)
	g.CloseClientConnections()
	require.Equal(t, "sold_out", with.Ask(q).Code, "the connection was stale")
	g.Close()
	assert.Equal(t, history.Answer{End: history.Refused, Code: history.NotSent}, with.Ask(q))
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	defer silent.Close()
	d.Gateways[0].Buyers = silent.Addr().String()
	assert.Equal(t, history.Answer{End: history.Perhaps, Code: history.NoAnswer}, with.Ask(q))
}

func TestAnswersInTheWordsOfTheHistory(t *testing.T) {
	order := `{"order_id":"7","status":"held","reason":"r","sku":"a","quantity":2,"created_at":"1970-01-01T00:00:01.000Z"}`
	seen := history.Seen{Order: "7", Status: "held", Reason: "r", SKU: "a", Quantity: 2, CreatedMS: 1000}
	several := `{"order_id":"7","status":"queued","lines":[{"sku":"a","quantity":2,"unit_price_cents":5},` +
		`{"sku":"b","quantity":1,"unit_price_cents":7}],"total_cents":17}`
	for name, c := range map[string]struct {
		verb   history.Verb
		status int
		text   string
		want   history.Answer
	}{
		"an order": {history.Buy, 202, order, history.Answer{End: history.OK, Status: 202, Orders: []history.Seen{seen}}},
		"orders": {history.List, 200, `{"orders":[` + order + `]}`, history.Answer{End: history.OK, Status: 200,
			Orders: []history.Seen{seen}}},
		"several lines": {history.Buy, 202, several, history.Answer{End: history.OK, Status: 202, Orders: []history.Seen{{
			Order: "7", Status: "queued", Lines: []history.Line{{SKU: "a", Quantity: 2, UnitPriceCents: 5},
				{SKU: "b", Quantity: 1, UnitPriceCents: 7}}, TotalCents: 17}}}},
		"a line at fault": {history.Buy, 409, `{"code":"over_limit","status":409,"scope":"sku","sku":"b"}`,
			history.Answer{End: history.Refused, Status: 409, Code: "over_limit", Scope: "sku", NamedSKU: "b"}},
		"a move": {history.Pause, 200, `{}`, history.Answer{End: history.OK, Status: 200}},
		"already bought": {history.Buy, 409, `{"code":"already_bought","status":409,"order_id":"7","bought":2}`,
			history.Answer{End: history.Refused, Status: 409, Code: "already_bought", Named: "7", Bought: 2}},
		"a wrong status": {history.Cancel, 409, `{"code":"wrong_status","status":409,"order_status":"paid"}`,
			history.Answer{End: history.Refused, Status: 409, Code: "wrong_status", NamedIs: "paid"}},
		"unknown": {history.Buy, 504, `{"code":"unknown","status":504,"order_id":"7"}`,
			history.Answer{End: history.Perhaps, Status: 504, Code: "unknown", Named: "7"}},
		"a refused press": {history.Buy, 503, `{"code":"fenced","status":503}`, history.Answer{End: history.Refused,
			Status: 503, Code: "fenced"}},
		"a failed payment": {history.Pay, 503, `{"code":"unavailable","status":503}`, history.Answer{End: history.Perhaps,
			Status: 503, Code: "unavailable"}},
		"a proxy's page": {history.Buy, 502, `<html>`, history.Answer{End: history.Perhaps, Status: 502,
			Code: history.Unreadable}},
	} {
		assert.Equal(t, c.want, understand(c.verb, c.status, []byte(c.text)), name)
	}
}
