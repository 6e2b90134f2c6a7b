package admin

import (
	"context"
	"errors"
	"net/http"

	"flashsale/sale"
)

// Holds freezes and thaws the unpaid orders of a sale.
type Holds interface {
	// FreezeHolds returns the sale, after whose answer none of its orders expires; a frozen sale is returned unchanged. A draft
	// or an archived sale is a *sale.StateError. While a thaw is under way the error wraps sale.ErrThawing.
	FreezeHolds(ctx context.Context, id, reason string) (sale.Sale, error)
	// BeginThaw begins a thaw or finds the one that has begun; the error of a sale that is not frozen wraps sale.ErrNotFrozen.
	BeginThaw(ctx context.Context, id string) (sale.Thaw, error)
	// ThawOrders moves the next orders of a thaw, or ends it.
	ThawOrders(ctx context.Context, thaw sale.Thaw) (sale.Thaw, error)
}

// freezeHolds answers with the frozen sale.
func (a *API) freezeHolds(c *call) error {
	id, err := c.saleID()
	if err != nil {
		return err
	}
	ctx, cancel := a.deciding(c)
	defer cancel()
	frozen, err := a.deps.Holds.FreezeHolds(ctx, id, "")
	if err != nil {
		return err
	}
	a.opts.Logger.Info("holds frozen", "sale", id, "since", frozen.HoldsFrozenSince)
	return c.answer(http.StatusOK, frozen)
}

// thawHolds answers with the sale when every order has its time. When the request cannot end the thaw, the settling process
// that expires orders does; a repeated request goes on as well.
func (a *API) thawHolds(c *call) error {
	id, err := c.saleID()
	if err != nil {
		return err
	}
	ctx, cancel := a.moving(c)
	defer cancel()
	thaw, err := a.deps.Holds.BeginThaw(ctx, id)
	for err == nil && !thaw.Done {
		thaw, err = a.deps.Holds.ThawOrders(ctx, thaw)
	}
	if err != nil {
		return err
	}
	thawed, err := a.deps.Sales.Sale(ctx, id)
	if err != nil {
		return err
	}
	a.opts.Logger.Info("holds thawed", "sale", id, "moved_by", thaw.Shift)
	return c.answer(http.StatusOK, thawed)
}

// extensionBody is the body of PUT /admin/v1/orders/{order_id}/pay_by.
type extensionBody struct {
	PayBy   member[sale.Time] `json:"pay_by"`
	Unknown unknown           `json:",unknown"`
}

// extendOrder moves the end of the payment time of one order.
func (a *API) extendOrder(c *call) error {
	payBy, err := decodeExtension(c.body)
	if err != nil {
		return err
	}
	return a.withOrder(c, a.deciding, onlyConfirmed(
		a.orUnconfirmed(func(ctx context.Context, id sale.OrderID) (sale.Order, error) {
			return a.deps.Decisions.ExtendOrder(ctx, id, payBy)
		})))
}

func decodeExtension(body []byte) (sale.Time, error) {
	var in extensionBody
	found, err := decodeStrict(body, &in, nil)
	if err != nil {
		return sale.Time{}, err
	}
	found.need("pay_by", in.PayBy.given)
	return in.PayBy.value, found.join(nil)
}

// onlyConfirmed refuses an order that has no row yet by its status, as it refuses the others: its payment time is not decided
// before it is confirmed.
func onlyConfirmed(decide decision) decision {
	return func(ctx context.Context, id sale.OrderID) (sale.Order, error) {
		order, err := decide(ctx, id)
		var status *sale.StatusError
		if errors.As(err, &status) && status.Status.Pending() {
			problem := refusedStatus(status.Status)
			problem.Detail = "it can be extended once it is confirmed"
			err = problem
		}
		return order, err
	}
}
