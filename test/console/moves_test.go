package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// moves of a sale: the state that each leads to, and those from which it is possible.
var saleMoves = map[string]struct {
	to   string
	from []string
}{
	"open":   {"open", []string{"preloaded"}},
	"pause":  {"paused", []string{"open"}},
	"resume": {"open", []string{"paused"}},
	"close":  {"closed", []string{"preloaded", "open", "paused"}},
}

// sale writes a sale as the moves answer it.
func (s *saleState) document() object {
	items := []object{}
	for _, one := range s.Items {
		items = append(items, object{"sku": one.SKU, "stock": one.Loaded, "price_cents": one.Price, "name": one.Name})
	}
	return object{"sale": s.ID, "name": s.Name, "state": s.State, "starts_at": stamp(s.Starts), "ends_at": stamp(s.Ends),
		"currency": "CNY", "payment_ttl_s": 900, "holds_frozen_since": s.frozenSince(), "items": items}
}

func (e *engine) oneSale(w http.ResponseWriter, r *http.Request, _ object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.saleOf(w, r); s != nil {
		answer(w, s.document())
	}
}

func (s *saleState) frozenSince() any {
	if s.Frozen == nil {
		return nil
	}
	return stamp(*s.Frozen)
}

// act changes a sale's state for somebody, as a request of theirs would. The caller holds the lock.
func (e *engine) act(s *saleState, verb, who string) {
	before := object{"state": s.State}
	s.State = saleMoves[verb].to
	e.note(who, "operator", verb, "sale/"+s.ID, before, object{"state": s.State})
}

func (e *engine) move(w http.ResponseWriter, r *http.Request, who object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.saleOf(w, r)
	if s == nil {
		return
	}
	verb := r.PathValue("verb")
	rule, known := saleMoves[verb]
	switch {
	case !known:
		refuse(w, 404, "not_found", nil)
	case s.State == rule.to:
		answer(w, s.document())
	case !slices.Contains(rule.from, s.State):
		refuse(w, 409, "wrong_state", object{"state": s.State, "detail": verb + " is not possible: the sale is " + s.State})
	default:
		e.act(s, verb, who["name"].(string))
		e.changed()
		answer(w, s.document())
	}
}

// preload tells its progress as events and ends with the sale.
func (e *engine) preload(w http.ResponseWriter, r *http.Request, who object) {
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		refuse(w, 406, "malformed", nil)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for done := 0; done <= 4; done += 2 {
		fmt.Fprintf(w, "event: progress\ndata: {\"done\":%d,\"total\":4}\n\n", done)
		http.NewResponseController(w).Flush()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sales[r.PathValue("sale")]
	if s.State == "draft" {
		s.State = "preloaded"
		for _, one := range s.Items {
			one.Available = one.Loaded
		}
		e.note(who["name"].(string), "operator", "preload", "sale/"+s.ID, object{"state": "draft"}, object{"state": "preloaded"})
		e.changed()
	}
	fmt.Fprintf(w, "event: sale\ndata: %s\n\n", marshal(s.document()))
}

func (e *engine) holds(w http.ResponseWriter, r *http.Request, who object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.saleOf(w, r)
	if s == nil {
		return
	}
	verb := r.PathValue("verb")
	if verb == "thaw" && s.Frozen == nil {
		refuse(w, 409, "not_frozen", nil)
		return
	}
	before := object{"holds_frozen_since": s.frozenSince()}
	if now := time.Now(); verb == "freeze" && s.Frozen == nil {
		s.Frozen = &now
	} else if verb == "thaw" {
		s.Frozen = nil
	}
	e.note(who["name"].(string), "operator", verb, "sale/"+s.ID, before, object{"holds_frozen_since": s.frozenSince()})
	e.changed()
	answer(w, s.document())
}

// stock changes a SKU once for each key.
func (e *engine) stock(w http.ResponseWriter, r *http.Request, who object) {
	body := bodyOf(e.t, r)
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.saleOf(w, r)
	if s == nil {
		return
	}
	key, sku := r.Header.Get("Idempotency-Key"), r.PathValue("sku")
	at := slices.IndexFunc(s.Items, func(one *item) bool { return one.SKU == sku })
	if key == "" || at < 0 {
		refuse(w, 400, "malformed", object{"field": "Idempotency-Key", "detail": "is required"})
		return
	}
	if e.keys[key] == nil {
		one, add := s.Items[at], int64(body["add"].(float64))
		add = max(add, -one.Available)
		before := object{"stock": one.Loaded}
		one.Loaded, one.Available = one.Loaded+add, one.Available+add
		e.keys[key] = object{"sku": sku, "added": add, "loaded": one.Loaded}
		e.note(who["name"].(string), "operator", "stock", "sale/"+s.ID+"/items/"+sku, before,
			object{"stock": one.Loaded, "added": add})
		e.changed()
	}
	if e.lose > 0 {
		e.lose--
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	answer(w, e.keys[key])
}

func (e *engine) listOrders(w http.ResponseWriter, r *http.Request, _ object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	query := r.URL.Query()
	found := []object{}
	for _, order := range e.orders {
		matches := true
		for name, member := range map[string]string{"sale": "sale", "buyer": "buyer_id", "status": "status"} {
			matches = matches && (query.Get(name) == "" || order[member] == query.Get(name))
		}
		if matches {
			found = append(found, order)
		}
	}
	all := object{"orders": found}
	if e.emptyPage {
		all = object{"orders": found, "next": "50"}
	} else if first := query.Get("cursor") == "" && len(found) > 50; first {
		all = object{"orders": found[:50], "next": "50"}
	} else if query.Get("cursor") == "50" {
		all = object{"orders": found[min(50, len(found)):]}
	}
	answer(w, all)
}

// orderOf returns the order of the path; without one it answers 404.
func (e *engine) orderOf(w http.ResponseWriter, r *http.Request) object {
	for _, order := range e.orders {
		if order["order_id"] == r.PathValue("order") {
			return order
		}
	}
	refuse(w, 404, "order_not_found", nil)
	return nil
}

func (e *engine) oneOrder(w http.ResponseWriter, r *http.Request, _ object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if order := e.orderOf(w, r); order != nil {
		answer(w, order)
	}
}

// changeOrder changes an order that is confirmed.
func (e *engine) changeOrder(w http.ResponseWriter, r *http.Request, change func(order object)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	order := e.orderOf(w, r)
	if order == nil {
		return
	}
	if order["status"] != "confirmed" {
		refuse(w, 409, "wrong_status", object{"order_status": order["status"]})
		return
	}
	change(order)
	answer(w, order)
}

func (e *engine) extend(w http.ResponseWriter, r *http.Request, _ object) {
	body := bodyOf(e.t, r)
	e.changeOrder(w, r, func(order object) { order["pay_by"] = body["pay_by"] })
}

func (e *engine) cancelOrder(w http.ResponseWriter, r *http.Request, _ object) {
	e.changeOrder(w, r, func(order object) { order["status"], order["reason"] = "cancelled", "shop" })
}

func (e *engine) listLetters(w http.ResponseWriter, _ *http.Request, _ object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	waiting := []object{}
	for _, letter := range e.dead {
		if letter["state"] == "waiting" {
			waiting = append(waiting, letter)
		}
	}
	answer(w, object{"deadletters": waiting})
}

func (e *engine) decide(w http.ResponseWriter, r *http.Request, _ object) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, letter := range e.dead {
		if letter["id"] == r.PathValue("id") {
			letter["state"] = map[string]string{"replay": "replayed", "refuse": "refused"}[r.PathValue("verb")]
			answer(w, letter)
			return
		}
	}
	refuse(w, 404, "not_found", nil)
}
