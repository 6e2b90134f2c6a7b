package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/console"
	"flashsale/test/browser"
)

// buyersAPI is the buyers' listener in memory, with the shop page in front of it as the dev command has it.
type buyersAPI struct {
	mu      sync.Mutex
	buyers  int
	starts  time.Time
	outcome string // the refusal of each press; empty: the press is taken
	orders  map[string]object
	keys    []string      // Idempotency-Key of each press
	step    chan struct{} // closed when a status has changed
	server  *httptest.Server
}

func openShop(t *testing.T) *buyersAPI {
	t.Helper()
	s := &buyersAPI{starts: time.Now().Add(-time.Minute), orders: map[string]object{}, step: make(chan struct{})}
	mux := http.NewServeMux()
	const orders = "/v1/sales/demo/orders"
	mux.HandleFunc("GET /v1/sales/demo", s.view)
	mux.HandleFunc("POST /v1/sales/demo/items/phone/orders", s.press)
	mux.HandleFunc("GET "+orders, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		own := []object{}
		for _, order := range s.orders {
			if order["buyer"] == r.Header.Get("Authorization") {
				own = append(own, order)
			}
		}
		answer(w, object{"orders": own})
	})
	mux.HandleFunc("GET "+orders+"/{order}", s.wait)
	mux.HandleFunc("DELETE "+orders+"/{order}", func(w http.ResponseWriter, r *http.Request) {
		s.move(r.PathValue("order"), "cancelled")
		s.mu.Lock()
		defer s.mu.Unlock()
		answer(w, s.orders[r.PathValue("order")])
	})
	mux.Handle("/", console.Shop("demo", func() (console.Buyer, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.buyers++
		return console.Buyer{ID: fmt.Sprintf("demo-%d", s.buyers), Token: fmt.Sprintf("token-%d", s.buyers)}, nil
	}))
	s.server = httptest.NewServer(mux)
	t.Cleanup(func() { s.server.CloseClientConnections(); s.server.Close() })
	return s
}

func (s *buyersAPI) view(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := "open"
	if time.Now().Before(s.starts) {
		state = "upcoming"
	}
	answer(w, object{"sale": "demo", "name": "Demo <b>sale</b>", "state": state, "starts_at": stamp(s.starts),
		"ends_at": stamp(s.starts.Add(time.Hour)), "server_time": stamp(time.Now()), "currency": "CNY", "per_buyer_sale_limit": 0,
		"items": []object{{"sku": "phone", "name": "Phone 15", "price_cents": 129900, "sold_out": s.outcome == "sold_out"}}})
}

func (s *buyersAPI) press(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, r.Header.Get("Idempotency-Key"))
	if r.Header.Get("Authorization") == "Bearer token-0" {
		refuse(w, 401, "unauthenticated", nil)
		return
	}
	if s.outcome == "unknown" {
		s.outcome = ""
		refuse(w, 504, "unknown", nil)
		return
	}
	if s.outcome != "" {
		refuse(w, 409, s.outcome, object{"limit": 1, "bought": 1})
		return
	}
	id := fmt.Sprintf("7000000000%02d", len(s.orders))
	s.orders[id] = object{"order_id": id, "status": "held", "sale": "demo", "lines": []object{{"sku": "phone", "quantity": 1}},
		"currency": "CNY", "total_cents": 129900, "pay_by": stamp(time.Now().Add(15 * time.Minute)),
		"buyer": r.Header.Get("Authorization")}
	answer(w, s.orders[id])
}

// wait answers when the order's status changes, as ?wait= does.
func (s *buyersAPI) wait(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	step := s.step
	s.mu.Unlock()
	if r.URL.Query().Get("wait") == "" {
		refuse(w, 400, "malformed", nil)
		return
	}
	select {
	case <-step:
	case <-r.Context().Done():
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, s.orders[r.PathValue("order")])
}

func (s *buyersAPI) move(order, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[order]["status"] = status
	close(s.step)
	s.step = make(chan struct{})
}

// TestShop buys on the shop page of the dev command.
func TestShop(t *testing.T) {
	b := browser.Start(t)
	t.Run("the way of an order", func(t *testing.T) { wayOfAnOrder(t, b) })
	t.Run("refusals", func(t *testing.T) { refusals(t, b) })
	t.Run("every look", func(t *testing.T) { shopLooks(t, b) })
}

// wayOfAnOrder: an order goes from held to confirmed on the page, is there again after a reload, and can be cancelled.
func wayOfAnOrder(t *testing.T, b *browser.Browser) {
	s := openShop(t)
	p := b.Open(t, s.server.URL+"/", browser.View{})
	p.Read("h1", "Demo <b>sale</b>")
	p.Read("[data-countdown]", "ends in 00:5")
	p.See("[data-buyer=demo-1]")
	p.Click("[data-action=buy]")
	const id = "700000000000"
	p.See("[data-order='" + id + "'][data-status=held]")
	reached := func(n int) {
		t.Helper()
		p.Wait(fmt.Sprintf("document.querySelectorAll('.way .reached').length === %d", n))
	}
	reached(1)
	for n, status := range []string{"queued", "confirmed"} {
		s.moveUntil(p, id, status)
		reached(n + 2)
	}
	p.Read(".order-foot", "Pay by")
	p.Accessible("shop")
	p.Reload()
	p.See("[data-order='" + id + "'][data-status=confirmed]")
	p.Click("[data-action=cancel-order]")
	p.See("[data-order='" + id + "'][data-status=cancelled]")
	p.Click("[data-action=another-buyer]")
	p.See("[data-buyer=demo-2]")
	require.Zero(t, p.Count("[data-order]"), "another buyer has no order")
}

// moveUntil changes the status until the page has seen it: the page may be between two questions.
func (s *buyersAPI) moveUntil(p *browser.Page, order, status string) {
	p.WaitFor("the page shows "+status, func() bool {
		s.move(order, status)
		return p.Count("[data-order='"+order+"'][data-status="+status+"]") == 1
	})
}

// refusals: each is shown with its code; an unknown outcome is repeated under the same key; a token that is over is replaced.
func refusals(t *testing.T, b *browser.Browser) {
	s := openShop(t)
	p := b.Open(t, s.server.URL+"/", browser.View{})
	for _, status := range []string{"401", "409", "504"} {
		p.Allow("status of " + status)
	}
	p.See("[data-action=buy]")
	for code, words := range map[string]string{"sold_out": "Sold out.", "already_bought": "(1 of 1)",
		"something_new": "something new"} {
		s.with(func() { s.outcome = code })
		p.Click("[data-action=buy]")
		p.Read("[data-outcome="+code+"]", words)
	}
	require.Zero(t, p.Count("[data-order]"))
	s.with(func() { s.outcome, s.keys = "unknown", nil })
	p.Click("[data-action=buy]")
	p.See("[data-order]")
	require.Len(t, s.keys, 2)
	require.Equal(t, s.keys[0], s.keys[1])
	require.Zero(t, p.Count("[data-outcome]"))

	browser.Evaluate[bool](p, `(localStorage.setItem('buyer', '{"sale":"demo","buyer":"demo-0","token":"token-0"}'), true)`)
	p.Reload()
	p.See("[data-buyer=demo-0]")
	p.Click("[data-action=buy]")
	p.See("[data-buyer=demo-2]")
	p.See("[data-order]")
}

func (s *buyersAPI) with(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func shopLooks(t *testing.T, b *browser.Browser) {
	s := openShop(t)
	s.starts = time.Now().Add(time.Hour)
	for name, view := range map[string]browser.View{
		"shop": {}, "shop-dark": {Dark: true}, "shop-phone": {Width: 360, Height: 740},
	} {
		p := b.Open(t, s.server.URL+"/", view)
		p.Read("[data-state=upcoming]", "Upcoming")
		p.Click("[data-action=buy]")
		p.See("[data-order]")
		p.Click("[data-lang=zh]")
		p.Read("[data-action=buy]", "购买")
		p.Read("[data-countdown]", "后开始")
		p.See("[data-order]")
		judge(t, p, name+"-zh")
		p.Click("[data-lang=en]")
		p.Read("[data-action=buy]", "Buy")
		judge(t, p, name)
		require.False(t, strings.Contains(p.Text("body"), "undefined"))
	}
}
