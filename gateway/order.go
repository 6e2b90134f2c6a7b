package gateway

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// oneOrder answers with one order of the caller. With `wait` it answers at once unless the order is held or queued, else
// when its status changes or the time is over.
func (g *Gateway) oneOrder(ctx *fasthttp.RequestCtx, at location, h *headers) {
	patience, ok := waitOf(ctx)
	if !ok {
		g.malformed(ctx, fieldWait)
		return
	}
	r, ok := g.admitReader(ctx, at, h)
	if !ok {
		return
	}
	order, refusal := g.readOrder(r, at)
	g.done(r) // before the wait: a buyer who waits takes no look-up's place
	if refusal != nil {
		refusal(ctx)
		return
	}
	if patience > 0 && order.Status.Pending() {
		order = g.waiters.wait(waiter{order: order, bucket: r.bucket.Bucket, buyer: r.buyer}, patience, g.stopping)
	}
	answerOrder(ctx, fasthttp.StatusOK, &order)
}

// fieldWait names the query member at fault in a malformed answer.
const fieldWait = "wait"

// waitOf returns how long the caller is willing to wait: 0s to 30s, 0 when he did not say.
func waitOf(ctx *fasthttp.RequestCtx) (time.Duration, bool) {
	query := ctx.QueryArgs()
	if !query.Has(fieldWait) {
		return 0, true
	}
	patience, err := time.ParseDuration(string(query.Peek(fieldWait)))
	return patience, err == nil && patience >= 0 && patience <= maxWait
}

// readOrder finds an order in the database or, before its row is there, in Redis. Someone else's order is not found.
func (g *Gateway) readOrder(r reader, at location) (sale.Order, func(*fasthttp.RequestCtx)) {
	refuse := func(o sale.Outcome) (sale.Order, func(*fasthttp.RequestCtx)) {
		return sale.Order{}, func(ctx *fasthttp.RequestCtx) { g.refuse(ctx, o) }
	}
	id, err := sale.ParseOrderID(string(at.order))
	if err != nil {
		return sale.Order{}, orderNotFound
	}
	limit, cancel := context.WithTimeout(context.Background(), g.options.StoreTimeout)
	defer cancel()
	row, found, err := g.lookups.ask(limit, id)
	switch {
	case err != nil:
		return refuse(sale.OutcomeUnavailable)
	case found && r.owns(&row):
		return row, nil
	case found:
		return sale.Order{}, orderNotFound
	}
	held, err := g.holding(limit, r.bucket.Bucket, r.buyer, id)
	switch {
	case err != nil:
		return refuse(sale.OutcomeUnavailable)
	case held != nil:
		return r.item.order(r.live, *held), nil
	case r.bucket.State != sale.BucketOpen:
		return refuse(sale.OutcomeFenced) // it may be on its way where neither store shows it
	}
	return sale.Order{}, orderNotFound
}

func orderNotFound(ctx *fasthttp.RequestCtx) {
	problem(ctx, sale.Problem{
		Status: fasthttp.StatusNotFound, Code: codeOrderNotFound, Title: "The buyer has no such order",
	})
}
