package loadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"flashsale/sale"
)

// shop is a small correct engine with its database: it gives a gateway's answers without any of its parts. Tests break
// its answers and its rows on purpose.
type shop struct {
	mu     sync.Mutex
	sale   sale.Sale
	stock  map[string]sale.Stock
	orders []*sale.Order
	keys   map[pressKey]*sale.Order
	nextID sale.OrderID

	// meddle, when set, sees every press before it is decided; it returns true when it has answered.
	meddle func(w http.ResponseWriter, r *http.Request, n int) bool
	// afterwards sees the answer before it is sent; it returns true when it has sent another answer.
	afterwards func(w http.ResponseWriter, n int, o *sale.Order) bool
	presses    int
}

func newShop(limit int, stock map[string]int64) *shop {
	s := &shop{
		sale:  sale.Sale{ID: "spring", PerBuyerLimit: limit},
		stock: map[string]sale.Stock{}, keys: map[pressKey]*sale.Order{}, nextID: 1000,
	}
	for sku, units := range stock {
		s.stock[sku] = sale.Stock{Loaded: units, Available: units}
		s.sale.Items = append(s.sale.Items, sale.Item{SKU: sku, Stock: units})
	}
	return s
}

func (s *shop) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	n := s.presses
	s.presses++
	s.mu.Unlock()
	if s.meddle != nil && s.meddle(w, r, n) {
		return
	}
	buyer, err := subject(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	saleID, sku, ok := splitPurchasePath(r.URL.Path)
	if err != nil || !ok || saleID != s.sale.ID || r.Method != http.MethodPost {
		writeProblem(w, sale.OutcomeMalformed)
		return
	}
	press := pressKey{holder{sku, buyer}, strings.Trim(r.Header.Get("Idempotency-Key"), `"`)}
	order, outcome := s.buy(press, quantityOf(r.Body))
	if s.afterwards != nil && s.afterwards(w, n, order) {
		return
	}
	writeAnswer(w, order, outcome)
}

// lines are those of an order of one SKU.
func lines(sku string, quantity int) []sale.Line { return []sale.Line{{SKU: sku, Quantity: quantity}} }

func quantityOf(body io.Reader) int {
	asked := struct{ Quantity int }{1}
	if err := json.NewDecoder(body).Decode(&asked); err != nil {
		return 1
	}
	return asked.Quantity
}

// buy decides one press by the contract's rules.
func (s *shop) buy(at pressKey, quantity int) (*sale.Order, sale.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.keys[at]; known != nil && at.key != "" {
		if known.Lines[0].Quantity != quantity {
			return known, sale.OutcomeKeyReused
		}
		return known, sale.OutcomeReplayed
	}
	var latest *sale.Order
	bought := 0
	for _, o := range s.orders {
		if o.Lines[0].SKU == at.sku && o.BuyerID == at.buyer {
			latest, bought = o, bought+o.Lines[0].Quantity
		}
	}
	stock := s.stock[at.sku]
	switch {
	case quantity > s.sale.PerBuyerLimit:
		return nil, sale.OutcomeOverLimit
	case bought+quantity > s.sale.PerBuyerLimit:
		return latest, sale.OutcomeAlreadyBought
	case stock.Available == 0:
		return nil, sale.OutcomeSoldOut
	case stock.Available < int64(quantity):
		return nil, sale.OutcomeNotEnough
	}
	stock.Available -= int64(quantity)
	stock.Settled += int64(quantity)
	s.stock[at.sku] = stock
	s.nextID++
	order := &sale.Order{
		OrderID: s.nextID, Status: sale.StatusConfirmed, Sale: s.sale.ID, Lines: lines(at.sku, quantity), BuyerID: at.buyer,
	}
	s.orders = append(s.orders, order)
	s.keys[at] = order
	return order, sale.OutcomeQueued
}

func writeAnswer(w http.ResponseWriter, order *sale.Order, outcome sale.Outcome) {
	row := outcome.Row()
	if row.Title != "" {
		var members []sale.Member
		if order != nil {
			members = append(members, sale.Member{Name: "order_id", Value: order.OrderID})
		}
		writeProblem(w, outcome, members...)
		return
	}
	shown := *order
	shown.Status = sale.StatusQueued
	w.WriteHeader(row.Status)
	if err := json.NewEncoder(w).Encode(shown); err != nil {
		panic(err)
	}
}

func writeProblem(w http.ResponseWriter, outcome sale.Outcome, members ...sale.Member) {
	if outcome.Row().RetryAfter {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(outcome.Row().Status)
	if _, err := w.Write(sale.ProblemOf(outcome, "", members...).Append(nil)); err != nil {
		panic(err)
	}
}

// cut closes the connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0) // a reset, as from a killed gateway
	_ = conn.Close()
}

// Sale, Stock and EachOrder implement Books for a verdict.
func (s *shop) Sale(_ context.Context, id string) (sale.Sale, error) {
	if id != s.sale.ID {
		return sale.Sale{}, sale.ErrNotFound
	}
	return s.sale, nil
}

func (s *shop) Stock(context.Context, string) (map[string]sale.Stock, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stock := map[string]sale.Stock{}
	for sku, units := range s.stock {
		stock[sku] = units
	}
	return stock, nil
}

func (s *shop) EachOrder(_ context.Context, _ string, each func(sale.Order) error) error {
	for i, o := range s.orders {
		if err := each(*o); err != nil {
			return fmt.Errorf("order %d: %w", i, err)
		}
	}
	return nil
}
