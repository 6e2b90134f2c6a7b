package loadtest

import (
	"context"
	"encoding/json"
	"errors"
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
	asked, ok := s.asked(r)
	if err != nil || !ok || r.Method != http.MethodPost {
		writeProblem(w, sale.OutcomeMalformed)
		return
	}
	press := pressKey{buyer, strings.Trim(r.Header.Get("Idempotency-Key"), `"`)}
	order, outcome := s.buy(press, asked...)
	if s.afterwards != nil && s.afterwards(w, n, order) {
		return
	}
	writeAnswer(w, order, outcome)
}

// lines are those of an order of one SKU.
func lines(sku string, quantity int) []sale.Line { return []sale.Line{{SKU: sku, Quantity: quantity}} }

// asked reads a request of either path.
func (s *shop) asked(r *http.Request) ([]Asked, bool) {
	var body struct {
		Quantity int
		Lines    []Asked
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		return nil, false
	}
	if saleID, sku, ok := splitPurchasePath(r.URL.Path); ok {
		body.Lines = []Asked{{sku, body.Quantity}}
		if saleID != s.sale.ID {
			return nil, false
		}
	} else if r.URL.Path != basketPath(s.sale.ID) {
		return nil, false
	}
	for i := range body.Lines {
		body.Lines[i].Quantity = max(1, body.Lines[i].Quantity)
	}
	return body.Lines, len(body.Lines) > 0
}

// buy decides one press by the contract's rules.
func (s *shop) buy(at pressKey, asked ...Asked) (*sale.Order, sale.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.keys[at]; known != nil && at.key != "" {
		if !fits(asked, known.Lines) {
			return known, sale.OutcomeKeyReused
		}
		return known, sale.OutcomeReplayed
	}
	if latest, outcome := s.refusal(at.buyer, asked); outcome != sale.OutcomeQueued {
		return latest, outcome
	}
	s.nextID++
	order := &sale.Order{OrderID: s.nextID, Status: sale.StatusConfirmed, Sale: s.sale.ID, BuyerID: at.buyer}
	for _, line := range asked {
		order.Lines = append(order.Lines, sale.Line{SKU: line.SKU, Quantity: line.Quantity})
		stock := s.stock[line.SKU]
		stock.Available -= int64(line.Quantity)
		stock.Settled += int64(line.Quantity)
		s.stock[line.SKU] = stock
	}
	s.orders = append(s.orders, order)
	s.keys[at] = order
	return order, sale.OutcomeQueued
}

// refusal returns why a press takes nothing, OutcomeQueued when it takes all its lines.
func (s *shop) refusal(buyer string, asked []Asked) (*sale.Order, sale.Outcome) {
	for _, line := range asked {
		if line.Quantity > s.sale.PerBuyerLimit {
			return nil, sale.OutcomeOverLimit
		}
	}
	for _, line := range asked {
		if latest, bought := s.boughtBy(buyer, line.SKU); bought+line.Quantity > s.sale.PerBuyerLimit {
			return latest, sale.OutcomeAlreadyBought
		}
	}
	for _, line := range asked {
		switch available := s.stock[line.SKU].Available; {
		case available == 0:
			return nil, sale.OutcomeSoldOut
		case available < int64(line.Quantity):
			return nil, sale.OutcomeNotEnough
		}
	}
	return nil, sale.OutcomeQueued
}

// boughtBy returns a buyer's latest order with a SKU, and the units of it that they have.
func (s *shop) boughtBy(buyer, sku string) (latest *sale.Order, units int) {
	for _, o := range s.orders {
		for i := range o.Lines {
			if o.BuyerID == buyer && o.Lines[i].SKU == sku {
				latest, units = o, units+o.Lines[i].Quantity
			}
		}
	}
	return latest, units
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
