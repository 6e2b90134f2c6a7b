package gateway

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// oneOrder answers with one order of the buyer. With `wait` it answers at once unless the order is held or queued; then it
// answers when the status changes or the time is over. It answers held only if the order stays held for heldRecheck.
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

// fieldWait is the `field` of a malformed answer for the query member wait.
const fieldWait = "wait"

// waitOf returns the wait of the query: 0s to 30s, 0 if there is none.
func waitOf(ctx *fasthttp.RequestCtx) (time.Duration, bool) {
	text, times := queryMember(ctx, fieldWait)
	if times == 0 {
		return 0, true
	}
	patience, err := time.ParseDuration(string(text))
	return patience, err == nil && patience >= 0 && patience <= maxWait && times == 1
}

// refusal answers a request that gets no order.
type refusal func(*fasthttp.RequestCtx)

// readOrder finds an order in the database or, before it has a row, in Redis. It does not find another buyer's order. It asks
// the database again before it answers that there is no such order: between the two reads settlement may have written the
// row, and Redis may have released the order.
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
	pending, err := g.holding(limit, r.bucket.Bucket, r.buyer, id)
	switch {
	case err != nil:
		return sale.Order{}, g.refusal(sale.OutcomeUnavailable)
	case pending != nil && r.covers(pending):
		if order, known := r.live.held(*pending); known {
			return order, nil
		}
		return sale.Order{}, g.refusal(sale.OutcomeUnavailable)
	}
	if row, refused, decided := g.readRow(limit, r, id); decided {
		return row, refused
	}
	if r.bucket.State != sale.BucketOpen {
		return sale.Order{}, g.refusal(sale.OutcomeFenced) // during a rebuild an order may be in neither store
	}
	return sale.Order{}, orderNotFound
}

// readRow asks the database for the buyer's order; decided is false if the buyer has no such row. Another buyer's row counts
// as none, also for the steps that follow, so that neither the answer nor its time reveals which ids are orders.
func (g *Gateway) readRow(ctx context.Context, r reader, id sale.OrderID) (row sale.Order, refused refusal, decided bool) {
	row, found, err := g.lookups.ask(ctx, id)
	if err != nil {
		return row, g.refusal(sale.OutcomeUnavailable), true
	}
	return row, nil, found && r.owns(&row)
}

// refusal returns the answer with the fixed problem of an outcome.
func (g *Gateway) refusal(o sale.Outcome) refusal {
	return func(ctx *fasthttp.RequestCtx) { g.refuse(ctx, o) }
}

func orderNotFound(ctx *fasthttp.RequestCtx) {
	problem(ctx, sale.Problem{
		Status: fasthttp.StatusNotFound, Code: codeOrderNotFound, Title: "The buyer has no such order",
	})
}
