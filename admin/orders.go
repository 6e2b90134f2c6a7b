package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"flashsale/sale"
)

// Decisions changes orders in the database. An unknown order is sale.ErrNotFound, a status that forbids the change a
// *sale.StatusError.
type Decisions interface {
	// CancelOrder returns the cancelled order, also when it was cancelled before; an empty buyer matches any buyer.
	CancelOrder(ctx context.Context, id sale.OrderID, reason sale.OrderReason, buyer string) (sale.Order, error)
	// PayOrder returns the paid order, also when this payment paid it before; a different payment is a *sale.PaidError.
	PayOrder(ctx context.Context, id sale.OrderID, paymentID string) (sale.Order, error)
	// ExtendOrder moves the end of the payment time of a confirmed order to a later moment and returns the order, also when it
	// ends then already; a moment out of range is a *sale.FieldError.
	ExtendOrder(ctx context.Context, id sale.OrderID, payBy sale.Time) (sale.Order, error)
	// RememberPayment stores the payment of an order that has no row yet, so that the row is paid when it is written.
	// It reports whether this payment is the one stored.
	RememberPayment(ctx context.Context, id sale.OrderID, paymentID string) (remembered bool, err error)
}

// paymentBody is the body of PUT /admin/v1/orders/{order_id}/payment.
type paymentBody struct {
	PaymentID member[string] `json:"payment_id"`
	Unknown   unknown        `json:",unknown"`
}

// getOrder answers with an order and the members that only the shop and operators may read.
func (a *API) getOrder(c *call) error { return a.withOrder(c, a.reading, a.orPending) }

// cancelOrder cancels for the shop, as the buyer's own request does.
func (a *API) cancelOrder(c *call) error {
	return a.withOrder(c, a.deciding, a.orUnconfirmed(func(ctx context.Context, id sale.OrderID) (sale.Order, error) {
		return a.deps.Decisions.CancelOrder(ctx, id, sale.ReasonShop, "")
	}))
}

// payOrder records the payment of an order. The engine knows payments only by their ids: it stores the first one of an
// order and refuses every other, which the shop then refunds.
func (a *API) payOrder(c *call) error {
	payment, err := decodePayment(c.body)
	if err != nil {
		return err
	}
	return a.withOrder(c, a.deciding, a.orRemembered(payment,
		a.orUnconfirmed(func(ctx context.Context, id sale.OrderID) (sale.Order, error) {
			return a.deps.Decisions.PayOrder(ctx, id, payment)
		})))
}

// orRemembered stores the payment of an order that is on its way and then tries to pay again, because the row may have
// been written meanwhile.
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
	found, err := decodeStrict(body, &in, nil)
	if err != nil {
		return "", err
	}
	found.need("payment_id", in.PaymentID.given)
	if !sale.ValidBuyerID(in.PaymentID.value) { // its characters: every store and log takes such an id unchanged
		err = sale.Fieldf("payment_id", "must be 1 to %d of A-Za-z0-9._:@|+-", sale.MaxIDBytes)
	}
	return in.PaymentID.value, found.join(err)
}

// withOrder runs one request about the order in the path, within its time limit, and answers with the order. A
// malformed order id is answered as unknown.
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

// deciding bounds a change of one order. The change is finished even when the client closes the connection.
func (a *API) deciding(c *call) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.r.Context()), a.opts.ReadLimit)
}
