package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flashsale/sale"
)

// idSlack is how far the clock of the gateway that made an order's id may be from the sale's window.
const idSlack = time.Minute

// decision moves one order on.
type decision func(ctx context.Context, id sale.OrderID) (sale.Order, error)

// orUnconfirmed looks twice at an order that the database does not know: its row may be on its way. Then the shop is to ask
// again, and not to believe that there is no such order. When nothing is on its way the decision is made once more, since
// the row may have come after the first one.
func (a *API) orUnconfirmed(decide decision) decision {
	return func(ctx context.Context, id sale.OrderID) (sale.Order, error) {
		order, err := decide(ctx, id)
		if !errors.Is(err, sale.ErrNotFound) {
			return order, err
		}
		may, err := a.mayBePending(ctx, id)
		switch {
		case err != nil:
			return order, fmt.Errorf("find out whether the order is on its way: %w", err)
		case may:
			return order, &sale.StatusError{Status: sale.StatusQueued}
		}
		return decide(ctx, id)
	}
}

// mayBePending reports whether an id without a row may become one. An id carries its moment, which lies in its sale's
// window, and names no SKU and no buyer: so it may as long as anything of that sale is in flight, or in doubt.
func (a *API) mayBePending(ctx context.Context, id sale.OrderID) (bool, error) {
	sales, err := a.deps.Sales.Sales(ctx)
	if err != nil {
		return false, err
	}
	made := id.Time()
	for i := range sales {
		s := &sales[i]
		if s.State == sale.StateDraft || made.Before(s.StartsAt.Add(-idSlack)) || made.After(s.EndsAt.Add(idSlack)) {
			continue
		}
		positions, err := readPositions(ctx, a.deps.Preloads, a.deps.Stock, s.ID)
		if err != nil {
			return false, err
		}
		for _, p := range positions {
			if !p.Coherent || p.InFlight > 0 {
				return true, nil
			}
		}
	}
	return false, nil
}
