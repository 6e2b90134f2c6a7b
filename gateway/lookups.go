package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flashsale/sale"
)

// Bounds of the look-ups.
const (
	idsPerQuery   = 500
	queriesAtOnce = 2
	maxPending    = 50_000 // look-ups that wait for a query; one more fails at once
)

var errTooManyPending = errors.New("too many look-ups wait for the database")

var errBreakerOpen = errors.New("the circuit breaker of the database is open")

// lookups reads order rows. The next query takes all ids that requests asked for during the present one, so that a crowd that
// polls its orders costs the database a few queries instead of one each.
type lookups struct {
	orders   Orders
	breakers *Breakers
	timeout  time.Duration
	guard    func(string, func() error) error // turns a panic into an error

	mu      sync.Mutex
	pending []*lookup
	running int
}

// lookup is the question for one order. The query sets its members and then closes done.
type lookup struct {
	id    sale.OrderID
	order sale.Order
	found bool
	err   error
	done  chan struct{}
	gone  atomic.Bool // the request does not wait any more
}

// ask returns the row of an order, if there is one. It fails after the timeout of one look-up, even if the query before it
// has not ended.
func (l *lookups) ask(ctx context.Context, id sale.OrderID) (sale.Order, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	question := &lookup{id: id, done: make(chan struct{})}
	l.mu.Lock()
	if len(l.pending) >= maxPending {
		l.mu.Unlock()
		return sale.Order{}, false, errTooManyPending
	}
	l.pending = append(l.pending, question)
	start := l.running < queriesAtOnce
	if start {
		l.running++
	}
	l.mu.Unlock()
	if start {
		go l.run()
	}
	select {
	case <-question.done:
		return question.order, question.found, question.err
	case <-ctx.Done():
		question.gone.Store(true)
		return sale.Order{}, false, fmt.Errorf("read order %s: %w", id, ctx.Err())
	}
}

// run answers pending questions until there are none.
func (l *lookups) run() {
	for {
		batch := l.take()
		if len(batch) == 0 {
			return
		}
		ids := make([]sale.OrderID, len(batch))
		for i, question := range batch {
			ids[i] = question.id
		}
		rows, err := l.fetch(context.Background(), ids)
		for _, question := range batch {
			question.order, question.found = rows[question.id]
			question.err = err
			close(question.done)
		}
	}
}

// take returns the questions of the next query. It drops those that no request waits for, so that a database that was stuck
// does not get old questions afterwards.
func (l *lookups) take() []*lookup {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = slices.DeleteFunc(l.pending, func(q *lookup) bool { return q.gone.Load() })
	n := min(len(l.pending), idsPerQuery)
	if n == 0 {
		l.pending = nil
		l.running--
		return nil
	}
	batch := l.pending[:n:n]
	l.pending = l.pending[n:]
	return batch
}

// fetch reads rows by id, at most idsPerQuery of them.
func (l *lookups) fetch(ctx context.Context, ids []sale.OrderID) (map[sale.OrderID]sale.Order, error) {
	found := make(map[sale.OrderID]sale.Order, len(ids))
	err := l.call(ctx, "read orders", func(ctx context.Context) error {
		rows, err := l.orders.Orders(ctx, ids)
		for _, row := range rows {
			found[row.OrderID] = row
		}
		return err
	})
	return found, err
}

// ofBuyer reads the rows of a buyer's orders that a reader asks for, with ids above after, at most limit of them.
func (l *lookups) ofBuyer(ctx context.Context, r reader, after sale.OrderID, limit int) (rows []sale.Order, err error) {
	err = l.call(ctx, "read a buyer's orders", func(ctx context.Context) error {
		rows, err = l.orders.BuyerOrders(ctx, r.live.ID, r.sku(), r.buyer, after, limit)
		return err
	})
	return rows, err
}

// call runs one query with a timeout and the circuit breaker of the database, unless ctx is over. The query gets a timeout of
// its own, not the rest of the caller's: otherwise time that another store used would count as a fault of the database.
func (l *lookups) call(ctx context.Context, what string, query func(context.Context) error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	exit, ok := l.breakers.Enter(sale.ResourceMySQL)
	if !ok {
		return errBreakerOpen
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	defer cancel()
	err := l.guard(what, func() error { return query(ctx) })
	exit(err)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
