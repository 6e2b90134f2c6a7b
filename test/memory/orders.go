package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"flashsale/sale"
)

// Order returns an order that has a row or waits in a dead letter.
func (d *Database) Order(ctx context.Context, id sale.OrderID) (sale.Order, error) {
	return call(ctx, d, "Order", func() (sale.Order, error) {
		found := d.t.orders(func(o *sale.Order) bool { return o.OrderID == id })
		if len(found) == 0 {
			return sale.Order{}, fmt.Errorf("read order %s: %w", id, sale.ErrNotFound)
		}
		return found[0], nil
	})
}

// Orders returns those of the orders that have a row or wait in a dead letter, sorted by id.
func (d *Database) Orders(ctx context.Context, ids []sale.OrderID) ([]sale.Order, error) {
	asked := make(map[sale.OrderID]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	return call(ctx, d, "Orders", func() ([]sale.Order, error) {
		return d.t.orders(func(o *sale.Order) bool { return asked[o.OrderID] }), nil
	})
}

// BuyerOrders returns a buyer's orders with ids above one, sorted by id, at most limit of them: all of the sale, or those with
// a line of the SKU where one is named.
func (d *Database) BuyerOrders(
	ctx context.Context, saleID, sku, buyer string, after sale.OrderID, limit int,
) ([]sale.Order, error) {
	return call(ctx, d, "BuyerOrders", func() ([]sale.Order, error) {
		found := d.t.orders(func(o *sale.Order) bool {
			return o.Sale == saleID && (sku == "" || o.Has(sku)) && o.BuyerID == buyer && o.OrderID > after
		})
		return found[:min(limit, len(found))], nil
	})
}

// EachOrder calls each with every order of a sale, of one moment and sorted by id, without the database's lock.
func (d *Database) EachOrder(ctx context.Context, saleID string, each func(sale.Order) error) error {
	all, err := call(ctx, d, "EachOrder", func() ([]sale.Order, error) {
		return d.t.orders(func(o *sale.Order) bool { return o.Sale == saleID }), nil
	})
	for _, o := range all {
		if err == nil {
			err = each(o)
		}
	}
	return err
}

// orders returns the orders that meet a condition, sorted by id. A row comes before what waits in a dead letter.
func (t *Tables) orders(wanted func(*sale.Order) bool) []sale.Order {
	var found []sale.Order
	for _, o := range t.Orders {
		if wanted(&o.Order) {
			found = append(found, o.Order)
		}
	}
	for _, o := range t.waitingOrders() {
		if wanted(&o) {
			found = append(found, o)
		}
	}
	slices.SortStableFunc(found, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return slices.CompactFunc(found, func(a, b sale.Order) bool { return a.OrderID == b.OrderID })
}
