package store

import (
	"context"
	"fmt"
	"slices"

	"flashsale/sale"
)

const (
	orderColumns = "o.order_id, o.status, o.reason, o.sale_id, o.currency, o.created_at, o.updated_at, o.pay_by, o.buyer_id, " +
		"COALESCE(o.payment_id, '')"
	ownLine = "o.line_count, 1, COALESCE(o.sku, ''), o.quantity, COALESCE(o.unit_price_cents, 0)"

	sqlOrders    = "SELECT " + orderColumns + ", " + ownLine + " FROM orders o"
	sqlEachOrder = "SELECT " + orderColumns + ", " + joinedLine + " FROM orders o" + joinLines + " WHERE o.sale_id = ?"
)

// Orders of dead letters have no order row: currency and payment time are those of the sale, if it exists.
const sqlWaitingOrders = "SELECT d.order_id, d.sale_id, d.order_lines, COALESCE(s.currency, ''), d.created_ms, " +
	"COALESCE(s.payment_ttl_s, 0), d.buyer_id FROM dead_letter_orders d LEFT JOIN sales s ON s.sale_id = d.sale_id WHERE "

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
		some, err := s.readOrders(ctx, " WHERE o."+in, chunk, "d."+in, chunk)
		if err != nil {
			return nil, fmt.Errorf("read %d orders: %w", len(ids), err)
		}
		found = append(found, some...)
	}
	return distinct(found), nil
}

const (
	ofBuyer  = " WHERE o.sale_id = ? AND o.buyer_id = ? AND o.order_id > ?"
	ofHasSKU = " AND (o.sku = ? OR (o.line_count > 1 AND EXISTS " +
		"(SELECT 1 FROM order_lines l WHERE l.order_id = o.order_id AND l.sku = ?)))"
	ofBuyerWaiting = "d.sale_id = ? AND d.buyer_id = ? AND d.order_id > ?"
)

// BuyerOrders returns a buyer's orders in a sale with ids above after, sorted by id, the first limit of them: those that have a
// row and those in waiting dead letters. If sku is not empty, it returns the orders that have a line of this SKU.
func (s *Store) BuyerOrders(ctx context.Context, saleID, sku, buyer string, after sale.OrderID, limit int) ([]sale.Order, error) {
	where, waiting := s.dialect.byBuyer+ofBuyer, []any{saleID, buyer, int64(after)}
	args := slices.Clone(waiting)
	if sku != "" {
		where, args = where+ofHasSKU, append(args, sku, sku)
	}
	found, err := s.readOrders(ctx, where+" ORDER BY o.order_id LIMIT ?", append(args, limit), ofBuyerWaiting, waiting)
	if err != nil {
		return nil, fmt.Errorf("read orders of %s in %s: %w", buyer, saleID, err)
	}
	if sku != "" {
		found = slices.DeleteFunc(found, func(o sale.Order) bool { return !o.Has(sku) }) // those of dead letters
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
		err = s.eachRow(ctx, saleID, func(order sale.Order) error {
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

// eachRow streams the orders of a sale that have a row, by one statement, so that they are of one moment.
func (s *Store) eachRow(ctx context.Context, saleID string, fn func(sale.Order) error) error {
	lines := gathering{}
	err := each(ctx, s.db, sqlEachOrder, []any{saleID}, func(r scanner) error {
		order, line, err := scanOrder(r)
		if err != nil {
			return err
		}
		if order.Lines = lines.add(order.OrderID, &line); order.Lines == nil {
			return nil
		}
		return fn(order)
	})
	if err == nil {
		err = lines.rest()
	}
	return err
}

// readOrders reads by a condition on the orders table and by one on waiting dead letters. It reads dead letters first, so that
// it finds the row of an order that settles in between, and returns rows before them.
func (s *Store) readOrders(
	ctx context.Context, where string, args []any, whereWaiting string, argsWaiting []any,
) ([]sale.Order, error) {
	var waiting []sale.Order
	err := each(ctx, s.db, sqlWaitingOrders+whereWaiting, argsWaiting, func(r scanner) error {
		order, err := scanWaitingOrder(r)
		waiting = append(waiting, order)
		return err
	})
	if err != nil {
		return nil, err
	}
	rows, err := readOrderRows(ctx, s.db, sqlOrders+where, args)
	if err != nil {
		return nil, err
	}
	found := make([]sale.Order, 0, len(rows)+len(waiting))
	for i := range rows {
		found = append(found, rows[i].Order)
	}
	return append(found, waiting...), nil
}

// orderRow is an order that has a row.
type orderRow struct {
	sale.Order
	lines int // how many it has
}

// readOrderRows runs a query of orderColumns and ownLine, and reads the lines of orders of several lines.
func readOrderRows(ctx context.Context, q querier, query string, args []any) ([]orderRow, error) {
	var found []orderRow
	err := each(ctx, q, query, args, func(r scanner) error {
		order, line, err := scanOrder(r)
		found = append(found, rowOf(order, &line))
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, addLines(ctx, q, found)
}

// rowOf returns an order with its line, or with the number of the lines that addLines reads.
func rowOf(order sale.Order, own *lineRow) orderRow {
	if own.of == 1 {
		order.Lines = []sale.Line{own.Line}
	}
	return orderRow{Order: order, lines: own.of}
}

// scanOrder reads orderColumns, a line, and the columns that the query has after them.
func scanOrder(r scanner, more ...any) (sale.Order, lineRow, error) {
	var o sale.Order
	var line lineRow
	var created, updated moment
	var payBy nullMoment
	columns := []any{&o.OrderID, &o.Status, &o.Reason, &o.Sale, &o.Currency, &created, &updated, &payBy, &o.BuyerID, &o.PaymentID}
	err := r.Scan(append(append(columns, line.columns()...), more...)...)
	o.CreatedAt, o.UpdatedAt, o.PayBy = created.Time, updated.Time, payBy.time
	return o, line, err
}

func scanWaitingOrder(r scanner) (sale.Order, error) {
	o := sale.Order{Status: sale.StatusQueued, Reason: sale.ReasonDeadLetter}
	var createdMS, paymentTTL int64
	var text string
	if err := r.Scan(&o.OrderID, &o.Sale, &text, &o.Currency, &createdMS, &paymentTTL, &o.BuyerID); err != nil {
		return o, err
	}
	lines, ok := sale.ParseLines(nil, text)
	if !ok {
		return o, fmt.Errorf("order %d of a dead letter has the lines %.80q", o.OrderID, text)
	}
	o.Lines, o.CreatedAt = lines, sale.TimeMillis(createdMS)
	o.UpdatedAt, o.PayBy = o.CreatedAt, sale.PayBy(o.CreatedAt.Time, paymentTTL)
	return o, nil
}
