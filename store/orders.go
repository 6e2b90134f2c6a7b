package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"flashsale/sale"
)

const (
	orderColumns = "order_id, status, reason, sale_id, sku, quantity, unit_price_cents, currency, created_at, updated_at, " +
		"pay_by, buyer_id, COALESCE(payment_id, '')"
	sqlOrders = "SELECT " + orderColumns + " FROM orders WHERE "
)

// Orders of dead letters have no order row: price, currency and payment time are those of the sale, if it exists.
const sqlWaitingOrders = "SELECT d.order_id, d.sale_id, d.sku, d.quantity, COALESCE(i.price_cents, 0), " +
	"COALESCE(s.currency, ''), d.created_ms, COALESCE(s.payment_ttl_s, 0), d.buyer_id FROM dead_letter_orders d " +
	"LEFT JOIN sales s ON s.sale_id = d.sale_id LEFT JOIN items i ON i.sale_id = d.sale_id AND i.sku = d.sku WHERE "

// Order returns an order that has a row or is in a waiting dead letter (queued, reason dead_letter). Otherwise the error wraps
// sale.ErrNotFound.
func (s *Store) Order(ctx context.Context, id sale.OrderID) (sale.Order, error) {
	found, err := s.Orders(ctx, []sale.OrderID{id})
	if err != nil {
		return sale.Order{}, err
	}
	if len(found) == 0 {
		return sale.Order{}, fmt.Errorf("read order %d: %w", id, sale.ErrNotFound)
	}
	return found[0], nil
}

// Orders returns those of the orders that have a row or are in a waiting dead letter, sorted by id.
func (s *Store) Orders(ctx context.Context, ids []sale.OrderID) ([]sale.Order, error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = int64(id)
	}
	var found []sale.Order
	for chunk := range slices.Chunk(args, maxIDs) {
		in := "order_id IN (" + placeholders(len(chunk)) + ")"
		some, err := s.readOrders(ctx, in, "d."+in, chunk)
		if err != nil {
			return nil, fmt.Errorf("read %d orders: %w", len(ids), err)
		}
		found = append(found, some...)
	}
	return distinct(found), nil
}

// BuyerOrders returns a buyer's orders of a SKU with ids above after, sorted by id, the first limit of them: those that have a
// row and those in waiting dead letters.
func (s *Store) BuyerOrders(ctx context.Context, saleID, sku, buyer string, after sale.OrderID, limit int) ([]sale.Order, error) {
	const first = " ORDER BY order_id LIMIT ?"
	found, err := s.readOrders(ctx, "sale_id = ? AND sku = ? AND buyer_id = ? AND order_id > ?"+first,
		"d.sale_id = ? AND d.sku = ? AND d.buyer_id = ? AND d.order_id > ?"+first,
		[]any{saleID, sku, buyer, int64(after), limit})
	if err != nil {
		return nil, fmt.Errorf("read orders of %s in %s: %w", buyer, saleID, err)
	}
	found = distinct(found)
	return found[:min(len(found), limit)], nil
}

// EachOrder calls fn once with every order of a sale that has a row or is in a waiting dead letter, in no particular order. It
// streams rows, so that a sale may have any size, and has only the orders of waiting dead letters in memory. It reads those
// first, so that it finds the row of an order that settles meanwhile.
func (s *Store) EachOrder(ctx context.Context, saleID string, fn func(sale.Order) error) error {
	waiting := map[sale.OrderID]sale.Order{}
	err := each(ctx, s.db, sqlWaitingOrders+"d.sale_id = ?", []any{saleID}, func(r scanner) error {
		order, err := scanWaitingOrder(r)
		waiting[order.OrderID] = order
		return err
	})
	if err == nil {
		err = each(ctx, s.db, sqlOrders+"sale_id = ?", []any{saleID}, func(r scanner) error {
			order, err := scanOrder(r)
			if err != nil {
				return err
			}
			delete(waiting, order.OrderID)
			return fn(order)
		})
	}
	for _, order := range waiting {
		if err == nil {
			err = fn(order)
		}
	}
	if err != nil {
		return fmt.Errorf("read the orders of %s: %w", saleID, err)
	}
	return nil
}

// readOrders reads by a condition on the orders table and the same one on waiting dead letters. It reads dead letters first,
// so that it finds the row of an order that settles in between, and returns rows before them.
func (s *Store) readOrders(ctx context.Context, where, whereWaiting string, args []any) ([]sale.Order, error) {
	var rows, waiting []sale.Order
	err := each(ctx, s.db, sqlWaitingOrders+whereWaiting, args, func(r scanner) error {
		order, err := scanWaitingOrder(r)
		waiting = append(waiting, order)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, s.db, sqlOrders+where, args, func(r scanner) error {
		order, err := scanOrder(r)
		rows = append(rows, order)
		return err
	})
	return append(rows, waiting...), err
}

// scanOrder reads orderColumns and the columns that the query has after them.
func scanOrder(r scanner, more ...any) (sale.Order, error) {
	var o sale.Order
	var created, updated moment
	var payBy nullMoment
	columns := []any{&o.OrderID, &o.Status, &o.Reason, &o.Sale, &o.SKU, &o.Quantity, &o.UnitPriceCents, &o.Currency, &created,
		&updated, &payBy, &o.BuyerID, &o.PaymentID}
	err := r.Scan(append(columns, more...)...)
	o.CreatedAt, o.UpdatedAt, o.PayBy = created.Time, updated.Time, payBy.time
	return o, err
}

func scanWaitingOrder(r scanner) (sale.Order, error) {
	o := sale.Order{Status: sale.StatusQueued, Reason: sale.ReasonDeadLetter}
	var createdMS, paymentTTL int64
	err := r.Scan(&o.OrderID, &o.Sale, &o.SKU, &o.Quantity, &o.UnitPriceCents, &o.Currency, &createdMS, &paymentTTL, &o.BuyerID)
	o.CreatedAt = sale.TimeMillis(createdMS)
	o.UpdatedAt, o.PayBy = o.CreatedAt, sale.PayBy(o.CreatedAt.Time, paymentTTL)
	return o, err
}

// distinct sorts orders by id and keeps the first of each.
func distinct(orders []sale.Order) []sale.Order {
	slices.SortStableFunc(orders, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return slices.CompactFunc(orders, func(a, b sale.Order) bool { return a.OrderID == b.OrderID })
}
