package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/valyala/fasthttp"

	"flashsale/faults"
	"flashsale/sale"
)

// Cancels cancels orders in the database.
type Cancels interface {
	// CancelOrder cancels a confirmed order of the buyer and returns it, also if it was cancelled before. The error is a
	// *sale.StatusError if the status does not allow it, and sale.ErrNotFound for the order of another buyer.
	CancelOrder(ctx context.Context, id sale.OrderID, reason sale.OrderReason, buyer string) (sale.Order, error)
}

// cancelsAtOnce bounds the cancellations of a gateway in progress in the database. Cancellations of one bucket wait for the
// lock of its row, each on a connection that catalogue and look-ups need too. Others wait in the gateway, for
// StoreTimeout at most.
const cancelsAtOnce = 4

// cancels runs the buyers' cancellations, at most cancelsAtOnce at a time.
type cancels struct {
	database Cancels
	lookups  *lookups
	slots    chan struct{}
}

func newCancels(database Cancels, l *lookups) *cancels {
	return &cancels{database: database, lookups: l, slots: make(chan struct{}, cancelsAtOnce)}
}

// cancel cancels an order. After an error other than *sale.StatusError and sale.ErrNotFound the order may or may not be
// cancelled; the caller may repeat the call.
func (c *cancels) cancel(ctx context.Context, id sale.OrderID, buyer string) (cancelled sale.Order, err error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return cancelled, fmt.Errorf("wait to cancel order %s: %w", id, ctx.Err())
	}
	var refused error
	err = c.lookups.call(ctx, "cancel an order", func(ctx context.Context) error {
		cancelled, err = c.database.CancelOrder(ctx, id, sale.ReasonBuyer, buyer)
		if status := (*sale.StatusError)(nil); errors.As(err, &status) || errors.Is(err, sale.ErrNotFound) {
			refused, err = err, nil // an answer, not a fault: the circuit breaker of the database does not count it
		}
		return err
	})
	faults.Point("gateway.order-cancelled")
	return cancelled, errors.Join(err, refused)
}

// cancelOrder cancels one order of the buyer. It refuses an order that the database has not confirmed yet, and one that is
// paid, expired or refused.
func (g *Gateway) cancelOrder(ctx *fasthttp.RequestCtx, at location, h *headers) {
	r, ok := g.admitReader(ctx, at, h)
	if !ok {
		return
	}
	defer g.endRequest(r)
	defer g.endLookup(r)
	order, refused := g.readOrder(r, at)
	if refused != nil {
		refused(ctx)
		return
	}
	if order.Status == sale.StatusConfirmed {
		limit, cancel := context.WithTimeout(context.Background(), g.options.StoreTimeout)
		defer cancel()
		cancelled, err := g.cancels.cancel(limit, order.OrderID, r.buyer)
		status := (*sale.StatusError)(nil)
		switch {
		case errors.As(err, &status):
			order.Status = status.Status
		case errors.Is(err, sale.ErrNotFound):
			orderNotFound(ctx)
			return
		case err != nil:
			g.refuse(ctx, sale.OutcomeUnavailable)
			return
		default:
			order = cancelled
		}
	}
	answerCancel(ctx, &order)
}

// answerCancel answers a cancellation by the status of the order after it.
func answerCancel(ctx *fasthttp.RequestCtx, o *sale.Order) {
	switch {
	case o.Status == sale.StatusCancelled:
		answerOrder(ctx, fasthttp.StatusOK, o)
	case o.Status.Pending():
		problem(ctx, sale.Problem{
			Status: fasthttp.StatusConflict, Code: codeNotConfirmed, Title: "The order is not confirmed yet",
			Detail: "it can be cancelled once it is confirmed",
		})
		ctx.Response.Header.SetCanonical(headerRetryAfter, soon[rand.IntN(len(soon))])
	default:
		problem(ctx, sale.Problem{
			Status: fasthttp.StatusConflict, Code: codeWrongStatus, Title: "The order's status does not allow this",
			Detail:  "the order is " + string(o.Status),
			Members: []sale.Member{{Name: "order_status", Value: o.Status}},
		})
	}
}
