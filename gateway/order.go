package gateway

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// oneOrder answers with one order of the caller. With `wait` it answers at once unless the order is held or queued, else
// when its status changes or the time is over. It says held only of an order that stays so for a moment.
func (g *Gateway) oneOrder(ctx *fasthttp.RequestCtx, at location, h *headers) {
	patience, ok := waitOf(ctx)
	if !ok {
		g.malformed(ctx, fieldWait, formOfWait)
		return
	}
	r, ok := g.admitReader(ctx, at, h)
	if !ok {
		return
	}
	defer g.endRequest(r)
	order, refused := g.readOrder(r, at)
	g.endLookup(r) // before the wait: a buyer who waits does not count against MaxReads
	if refused != nil {
		refused(ctx)
		return
	}
	if order.Status == sale.StatusHeld {
		patience = max(patience, heldRecheck)
	}
	if patience > 0 && order.Status.Pending() {
		order = g.waiters.wait(g.waiterOf(r, order), patience, g.stopping)
	}
	answerOrder(ctx, fasthttp.StatusOK, &order)
}

// fieldWait names the query member at fault in a malformed answer.
const fieldWait = "wait"

// waitOf returns how long the caller is willing to wait: 0s to 30s, 0 when he did not say.
func waitOf(ctx *fasthttp.RequestCtx) (time.Duration, bool) {
	text, times := queryMember(ctx, fieldWait)
	if times == 0 {
		return 0, true
	}
	patience, err := time.ParseDuration(string(text))
	return patience, err == nil && patience >= 0 && patience <= maxWait && times == 1
}

// refusal answers a reader who gets no order.
type refusal func(*fasthttp.RequestCtx)

// readOrder finds an order in the database or, before its row is there, in Redis. Someone else's order is not found. The
// database is asked again before an order is said not to be there: its row may have come after the first look, and Redis
// may have released it since.
func (g *Gateway) readOrder(r reader, at location) (sale.Order, refusal) {
	id, err := sale.ParseOrderID(string(at.order))
	if err != nil {
		return sale.Order{}, orderNotFound
	}
	limit, cancel := context.WithTimeout(context.Background(), g.options.StoreTimeout)
	defer cancel()
	if row, refused, decided := g.readRow(limit, r, id); decided {
		return row, refused
	}
	held, err := g.holding(limit, r.bucket.Bucket, r.buyer, id)
	switch {
	case err != nil:
		return sale.Order{}, g.refusal(sale.OutcomeUnavailable)
	case held != nil:
		return r.item.order(r.live, *held), nil
	}
	if row, refused, decided := g.readRow(limit, r, id); decided {
		return row, refused
	}
	if r.bucket.State != sale.BucketOpen {
		return sale.Order{}, g.refusal(sale.OutcomeFenced) // it may be on its way where neither store shows it
	}
	return sale.Order{}, orderNotFound
}

// readRow asks the database for the caller's order; decided is false when there is no row of his. Another buyer's row is as
// good as none, also for the steps that follow: neither the answer nor its time tells which ids are orders.
func (g *Gateway) readRow(ctx context.Context, r reader, id sale.OrderID) (row sale.Order, refused refusal, decided bool) {
	row, found, err := g.lookups.ask(ctx, id)
	if err != nil {
		return row, g.refusal(sale.OutcomeUnavailable), true
	}
	return row, nil, found && r.owns(&row)
}

// refusal is the fixed problem of an outcome.
func (g *Gateway) refusal(o sale.Outcome) refusal {
	return func(ctx *fasthttp.RequestCtx) { g.refuse(ctx, o) }
}

func orderNotFound(ctx *fasthttp.RequestCtx) {
	problem(ctx, sale.Problem{
		Status: fasthttp.StatusNotFound, Code: codeOrderNotFound, Title: "The buyer has no such order",
	})
}
