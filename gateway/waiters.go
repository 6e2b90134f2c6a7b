package gateway

import (
	"context"
	"sync"
	"time"

	"flashsale/sale"
)

// heldPerRound bounds the calls to Redis in one round; if more orders are held, the rounds take them in random order.
const heldPerRound = 64

// heldRecheck is how long an order must stay held before the gateway answers a read with held. The gateway that published the
// order answers queued before the entry leaves the journal. Another gateway still sees the entry, so it looks again until the
// entry is gone or the order has a row. Otherwise the status of an order would go back from queued to held in the answers.
const heldRecheck = 500 * time.Millisecond

// waiter is one request that waits for a change of its order's status.
type waiter struct {
	order  sale.Order // at the start of the wait
	bucket sale.Bucket
	buyer  string
	woken  <-chan struct{} // closed to end the wait early; nil: never
	moved  chan sale.Order // capacity 1: the order with its new status
}

// waiters reads the orders that requests wait for: all of them in one query every 25 ms, and none while no request waits.
type waiters struct {
	lookups *lookups
	stock   Stock
	timeout time.Duration
	bound   int
	rows    chan struct{} // capacity 1, like held: there is a waiter
	held    chan struct{}

	mu      sync.Mutex
	waiting map[*waiter]struct{}
}

func newWaiters(l *lookups, s Stock, o Options) *waiters {
	return &waiters{
		lookups: l, stock: s, timeout: o.StoreTimeout, bound: o.MaxWaiters, waiting: map[*waiter]struct{}{},
		rows: make(chan struct{}, 1), held: make(chan struct{}, 1),
	}
}

// wait returns the changed order when its status changes. It returns the unchanged order when patience is over, the waiter is
// woken or the gateway stops. Beyond the bound of waiters it returns at once; the app then polls, as without `wait`.
func (w *waiters) wait(one waiter, patience time.Duration, stopping <-chan struct{}) sale.Order {
	one.moved = make(chan sale.Order, 1)
	if !w.add(&one) {
		return one.order
	}
	defer w.remove(&one)
	over := time.NewTimer(patience)
	defer over.Stop()
	select {
	case order := <-one.moved:
		return order
	case <-over.C:
	case <-one.woken:
	case <-stopping:
	}
	select {
	case order := <-one.moved: // select may have taken another case at the same time
		return order
	default:
		return one.order
	}
}

// recheckHeld returns a held order after heldRecheck, or sooner if its status changes. It returns any other order at once.
func (w *waiters) recheckHeld(one waiter, stopping <-chan struct{}) sale.Order {
	orders := []sale.Order{one.order}
	w.recheckAllHeld(orders, one, stopping)
	return orders[0]
}

// recheckAllHeld does the same with orders of one buyer, within heldRecheck in all. one has the members of the waiter except
// the order.
func (w *waiters) recheckAllHeld(orders []sale.Order, one waiter, stopping <-chan struct{}) {
	over := time.Now().Add(heldRecheck)
	for i := range orders {
		if orders[i].Status == sale.StatusHeld {
			one.order = orders[i]
			orders[i] = w.wait(one, time.Until(over), stopping)
		}
	}
}

func (w *waiters) add(one *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) >= w.bound {
		return false
	}
	w.waiting[one] = struct{}{}
	signal(w.rows)
	signal(w.held)
	return true
}

func (w *waiters) remove(one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting, one)
}

// signal wakes a role; one pending signal is enough.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// anyone reports whether a request waits.
func (w *waiters) anyone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting) > 0
}

// list returns the waiters, or only those of held orders, at most bound.
func (w *waiters) list(heldOnly bool, bound int) []*waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*waiter
	for one := range w.waiting { // in random order, so that the bound is fair
		if len(out) == bound {
			break
		}
		if !heldOnly || one.order.Status == sale.StatusHeld {
			out = append(out, one)
		}
	}
	return out
}

// askRows reads from the database every order with a waiter.
func (w *waiters) askRows(ctx context.Context) error {
	all := w.list(false, w.bound)
	for len(all) > 0 {
		part := all[:min(len(all), idsPerQuery)]
		all = all[len(part):]
		ids := make([]sale.OrderID, len(part))
		for i, one := range part {
			ids[i] = one.order.OrderID
		}
		rows, err := w.lookups.fetch(ctx, ids)
		if err != nil {
			return err
		}
		for _, one := range part {
			if row, ok := rows[one.order.OrderID]; ok {
				one.deliver(row)
			}
		}
	}
	return nil
}

// askHeldOrders asks Redis whether held orders have reached Kafka. It is a role of its own, so that a slow Redis does not
// delay requests that wait for the database.
func (w *waiters) askHeldOrders(ctx context.Context) error {
	for _, one := range w.list(true, heldPerRound) {
		if err := w.askHeld(ctx, one); err != nil {
			return err // Redis is not reachable, so the other calls would fail too
		}
	}
	return nil
}

func (w *waiters) askHeld(ctx context.Context, one *waiter) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	holdings, err := w.stock.Holdings(ctx, one.bucket, one.buyer)
	if err != nil {
		return err
	}
	for _, h := range holdings {
		if h.OrderID == one.order.OrderID {
			moved := one.order
			moved.Status = h.Status
			one.deliver(moved)
		}
	}
	return nil
}

// deliver ends the wait if the order's status has changed.
func (w *waiter) deliver(order sale.Order) {
	if order.Status == w.order.Status {
		return
	}
	select {
	case w.moved <- order:
	default: // there is a change already
	}
}
