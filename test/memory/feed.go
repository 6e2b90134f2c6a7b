package memory

import (
	"cmp"
	"context"
	"slices"

	"flashsale/sale"
)

// OrderFeed returns a page of the orders that have a row, in the order of updated_at and order id. A page that has another one
// after it is full.
func (d *Database) OrderFeed(ctx context.Context, q *sale.OrderQuery) (sale.OrderPage, error) {
	return call(ctx, d, "OrderFeed", func() (sale.OrderPage, error) {
		page := sale.OrderPage{Now: sale.TimeMillis(d.nowMS())}
		for _, o := range d.t.Orders {
			if q.Selects(&o.Order) {
				page.Orders = append(page.Orders, o.Order)
			}
		}
		slices.SortFunc(page.Orders, func(a, b sale.Order) int {
			return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt.Time), cmp.Compare(a.OrderID, b.OrderID))
		})
		if len(page.Orders) > q.Limit {
			page.Orders = page.Orders[:q.Limit]
			last := &page.Orders[q.Limit-1]
			page.Next = &sale.OrderPosition{UpdatedAt: last.UpdatedAt, OrderID: last.OrderID}
		}
		return page, nil
	})
}
