package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"flashsale/sale"
)

// Decisions moves orders on, in the database. An order that it does not know is sale.ErrNotFound, a status that does not
// allow the move *sale.StatusError.
type Decisions interface {
	// CancelOrder returns the cancelled order, also when it was cancelled before; an empty buyer is any.
	CancelOrder(ctx context.Context, id sale.OrderID, reason sale.OrderReason, buyer string) (sale.Order, error)
	// PayOrder returns the paid order, also when this payment paid it before; another payment is *sale.PaidError.
	PayOrder(ctx context.Context, id sale.OrderID, paymentID string) (sale.Order, error)
	// RememberPayment keeps the payment of an order that is on its way, so that its row is paid when it comes, and reports
	// whether this payment is the one that is kept.
	RememberPayment(ctx context.Context, id sale.OrderID, paymentID string) (remembered bool, err error)
}

// paymentBody is the body of PUT /admin/v1/orders/{order_id}/payment.
type paymentBody struct {
	PaymentID member[string] `json:"payment_id"`
}

// getOrder answers an order with what only the shop and operators may read.
func (a *API) getOrder(c *call) error { return a.withOrder(c, a.reading, a.orPending) }

// cancelOrder cancels in the shop's name, as the buyer's own request does.
func (a *API) cancelOrder(c *call) error {
	return a.withOrder(c, a.deciding, a.orUnconfirmed(func(ctx context.Context, id sale.OrderID) (sale.Order, error) {
		return a.deps.Decisions.CancelOrder(ctx, id, sale.ReasonShop, "")
	}))
}

// payOrder says that an order was paid. The engine knows no payments, only their ids: it remembers the first one of an
// order and refuses every other, which is then to be refunded.
func (a *API) payOrder(c *call) error {
	payment, err := decodePayment(c.body)
	if err != nil {
		return err
	}
	return a.withOrder(c, a.deciding, a.orRemembered(payment, a.orUnconfirmed(func(ctx context.Context, id sale.OrderID) (sale.Order, error) {
		return a.deps.Decisions.PayOrder(ctx, id, payment)
	})))
}

// orRemembered keeps the payment of an order that is known to be on its way, and then pays once more: the row may have come
// while the payment was written.
func (a *API) orRemembered(payment string, pay decision) decision {
	return func(ctx context.Context, id sale.OrderID) (sale.Order, error) {
		order, err := pay(ctx, id)
		var status *sale.StatusError
		if !errors.As(err, &status) || !status.Status.Pending() {
			return order, err
		}
		remembered, err := a.deps.Decisions.RememberPayment(ctx, id, payment)
		if err != nil {
			return order, err
		}
		order, err = a.deps.Decisions.PayOrder(ctx, id, payment)
		if errors.Is(err, sale.ErrNotFound) || errors.As(err, &status) && status.Status.Pending() {
			return order, notConfirmed(remembered)
		}
		return order, err
	}
}

func decodePayment(body []byte) (string, error) {
	var in paymentBody
	if err := decodeStrict(body, &in); err != nil {
		return "", err
	}
	switch id := in.PaymentID.value; {
	case !in.PaymentID.given:
		return "", sale.Fieldf("payment_id", "is required")
	case !sale.ValidBuyerID(id): // the same characters, so that every store and log takes it as it is
		return "", sale.Fieldf("payment_id", "must be 1 to %d of A-Za-z0-9._:@|+-", sale.MaxIDBytes)
	default:
		return id, nil
	}
}

// withOrder runs one request about the order that the path names, within its bound of time, and answers the order. An id
// that is no order id is unknown.
func (a *API) withOrder(c *call, bound func(*call) (context.Context, context.CancelFunc), run decision) error {
	id, err := sale.ParseOrderID(c.r.PathValue("order_id"))
	if err != nil {
		return problemOrderNotFound
	}
	ctx, cancel := bound(c)
	defer cancel()
	order, err := run(ctx, id)
	switch {
	case errors.Is(err, sale.ErrNotFound):
		return problemOrderNotFound
	case err != nil:
		return fmt.Errorf("order %s: %w", id, err)
	}
	return c.answer(http.StatusOK, order.ForOperator())
}

// deciding bounds a change of one order. It outlives a client that hangs up: a decision that was begun is made.
func (a *API) deciding(c *call) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.r.Context()), a.opts.ReadLimit)
}
