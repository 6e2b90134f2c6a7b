package rehearse

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"flashsale/role"
	"flashsale/sale"
)

// Bounds of a payer.
const (
	payWorkers    = 32
	payLimit      = 10 * time.Second       // of one request
	payAgain      = 100 * time.Millisecond // after an answer that asks for a repetition
	maxPayAnswer  = 64 << 10
	paymentPrefix = "rehearsal-"
)

// told is one order as the shop is told of it, and as the built-in payer takes it.
type told struct {
	OrderID    string     `json:"order_id"`
	Sale       string     `json:"sale"`
	BuyerID    string     `json:"buyer_id"`
	Lines      []toldLine `json:"lines"`
	TotalCents int64      `json:"total_cents"`
	Currency   string     `json:"currency"`
}

type toldLine struct {
	SKU       string `json:"sku"`
	Quantity  int    `json:"quantity"`
	UnitCents int64  `json:"unit_price_cents"`
}

// ask to pay is the body that the shop gets.
type payRequest struct {
	Rehearsal   bool   `json:"rehearsal"` // always true, so that a shop can tell it from a real order
	Order       told   `json:"order"`
	CallbackURL string `json:"callback_url"` // PUT {"payment_id": …} there
	Token       string `json:"token"`        // as Authorization: Bearer
}

// payment is one order that was to be paid.
type payment struct {
	asked time.Time     // when the shop was told
	took  time.Duration // until the call-back was answered with 200; 0: not yet
}

// Payments counts the payments of a rehearsal.
type Payments struct {
	Payer  string  `json:"payer"` // built-in, or the URL of the shop
	Asked  int64   `json:"asked"`
	Paid   int64   `json:"paid"`    // call-backs answered with 200
	InTime int64   `json:"in_time"` // of them within the asked time
	P50    float64 `json:"p50_s"`   // from telling the shop to the answered call-back
	Max    float64 `json:"max_s"`
	Within float64 `json:"within_s"`
	Fault  string  `json:"fault"` // the last failure, empty without one
}

// payer has a share of the orders paid.
type payer struct {
	pay     func(ctx context.Context, order *told) error
	share   float64
	random  *rand.Rand
	workers sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	waiting []*told
	orders  map[string]*payment
	last    time.Time // of the newest call-back
	fault   error
	stopped bool
}

func newPayer(share float64, seed uint64, pay func(context.Context, *told) error) *payer {
	p := &payer{pay: pay, share: share, random: rand.New(rand.NewPCG(seed, seed+1)), orders: map[string]*payment{}}
	p.changed = sync.NewCond(&p.mu)
	return p
}

// start lets workers pay until ctx ends or stop is called.
func (p *payer) start(ctx context.Context) {
	context.AfterFunc(ctx, p.stop)
	for range payWorkers {
		p.workers.Go(func() { p.work(ctx) })
	}
}

// take draws whether an order is to be paid. It does not wait.
func (p *payer) take(order *told) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.orders[order.OrderID]; known || p.stopped || p.random.Float64() >= p.share {
		return
	}
	p.orders[order.OrderID] = &payment{}
	p.waiting = append(p.waiting, order)
	p.changed.Signal()
}

func (p *payer) work(ctx context.Context) {
	for {
		order := p.next()
		if order == nil {
			return
		}
		if err := p.pay(ctx, order); err != nil && ctx.Err() == nil {
			p.mu.Lock()
			p.fault = fmt.Errorf("order %s: %w", order.OrderID, err)
			p.mu.Unlock()
		}
	}
}

// next waits for an order and notes that it is asked for now; nil when the payer was stopped.
func (p *payer) next() *told {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) == 0 && !p.stopped {
		p.changed.Wait()
	}
	if p.stopped {
		return nil
	}
	order := p.waiting[0]
	p.waiting = p.waiting[1:]
	p.orders[order.OrderID].asked = time.Now()
	return order
}

// paid notes the answered call-back of an order; a repeated one changes nothing.
func (p *payer) paid(order string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.orders[order]; one != nil && !one.asked.IsZero() && one.took == 0 {
		p.last = time.Now()
		one.took = max(p.last.Sub(one.asked), 1)
		p.changed.Broadcast()
	}
}

// open reports whether a call-back may still arrive in time, and when the newest one arrived; the zero time without one.
func (p *payer) open(within time.Duration) (open bool, last time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.orders {
		if one.took == 0 && (one.asked.IsZero() || time.Since(one.asked) <= within) {
			return true, p.last
		}
	}
	return false, p.last
}

// stop ends the workers after their present order.
func (p *payer) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.changed.Broadcast()
}

// results counts the payments so far.
func (p *payer) results(name string, within time.Duration) Payments {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := Payments{Payer: name, Asked: int64(len(p.orders)), Within: within.Seconds()}
	var times []time.Duration
	for _, one := range p.orders {
		if one.took == 0 {
			continue
		}
		found.Paid++
		times = append(times, one.took)
		if one.took <= within {
			found.InTime++
		}
	}
	found.P50, found.Max = middle(times).Seconds(), largest(times).Seconds()
	if p.fault != nil {
		found.Fault = p.fault.Error()
	}
	return found
}

// toldOf returns an order as a shop is told of it. A SKU that the sale lacks has no price.
func toldOf(id sale.OrderID, buyer string, lines []sale.Line, of *sale.Sale) *told {
	order := &told{OrderID: id.String(), Sale: of.ID, BuyerID: buyer, Currency: of.Currency}
	for _, line := range lines {
		item, _ := of.Item(line.SKU)
		order.Lines = append(order.Lines, toldLine{line.SKU, line.Quantity, item.PriceCents})
		order.TotalCents += int64(line.Quantity) * item.PriceCents
	}
	return order
}

// shop pays by telling a shop, which then calls back.
type shop struct {
	http     *http.Client
	url      string
	callback string // base URL of the call-backs
	token    string
}

// pay posts the order to the shop. The shop's call-back arrives at the desk.
func (s *shop) pay(ctx context.Context, order *told) error {
	body, err := json.Marshal(payRequest{true, *order, s.callback + paymentPath(order.OrderID), s.token})
	if err != nil {
		return fmt.Errorf("encode the order: %w", err)
	}
	status, answer, err := send(ctx, s.http, http.MethodPost, s.url, "", body)
	if err != nil {
		return fmt.Errorf("tell the shop: %w", err)
	}
	if status >= 300 {
		return fmt.Errorf("the shop answered %d: %.200s", status, answer)
	}
	return nil
}

// builtin pays by calling the operators' listener itself, as a shop does: it repeats while the order is on its way.
type builtin struct {
	http  *http.Client
	base  string // of the operators' API
	token string
	paid  func(order string)
}

func (b *builtin) pay(ctx context.Context, order *told) error {
	body := fmt.Appendf(nil, `{"payment_id":%q}`, paymentPrefix+order.OrderID)
	var refused error
	done := role.Until(ctx, role.Always(payAgain), func() bool {
		status, answer, err := send(ctx, b.http, http.MethodPut, b.base+paymentPath(order.OrderID), b.token, body)
		switch {
		case err == nil && status == http.StatusOK:
			b.paid(order.OrderID)
			return true
		case err == nil && status != http.StatusServiceUnavailable && !notConfirmed(status, answer):
			refused = fmt.Errorf("the payment was answered %d: %.200s", status, answer)
			return true
		}
		return false
	})
	if !done {
		return ctx.Err()
	}
	return refused
}

// notConfirmed reports whether the answer asks for a repetition, because the order is on its way to the database.
func notConfirmed(status int, answer []byte) bool {
	var problem struct {
		Code string `json:"code"`
	}
	return status == http.StatusConflict && json.Unmarshal(answer, &problem) == nil && problem.Code == "not_confirmed"
}

func paymentPath(order string) string { return "/admin/v1/orders/" + order + "/payment" }

// send sends one request and reads its answer.
func send(ctx context.Context, client *http.Client, method, url, token string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, payLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxPayAnswer))
	return answer.StatusCode, text, err
}

// newPayClient returns a client with a connection for each worker.
func newPayClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: payWorkers, IdleConnTimeout: payLimit}}
}
