package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

const (
	sqlLockOrders = "SELECT " + orderColumns + ", bucket, %s FROM orders%s WHERE order_id IN ("
	sqlLeave      = "UPDATE orders%s SET status = ?, reason = ?, slot = NULL, due_at = NULL, " +
		"updated_at = CASE WHEN created_at > ? THEN created_at ELSE ? END WHERE "
	stillConfirmed = "status = 'confirmed' AND "
	ofAllowance    = "(sale_id = ? AND sku = ? AND buyer_id = ? AND order_id = ?)"
)

// lockedOrder is an order with a row that is locked until the commit.
type lockedOrder struct {
	sale.Order
	bucket sale.Bucket
}

func (o *lockedOrder) releasing() ledger.Releasing {
	return ledger.Releasing{Bucket: o.bucket, ReleasedOrder: sale.ReleasedOrder{
		OrderID: o.OrderID, Quantity: o.Quantity, Buyer: o.BuyerID,
	}}
}

// lockOrders locks those of the orders that have a row, in the order of their ids, and returns them with the time of the
// database. A caller that releases them must have locked their stock rows before.
func (s *Store) lockOrders(ctx context.Context, tx *sql.Tx, ids []sale.OrderID) (found []lockedOrder, nowMS int64, err error) {
	head := fmt.Sprintf(sqlLockOrders, s.dialect.nowMS, s.dialect.forced)
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(ids)), maxIDs) {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = int64(id)
		}
		query := head + placeholders(len(chunk)) + ") ORDER BY order_id" + s.dialect.lock
		err := each(ctx, tx, query, args, func(r scanner) error {
			var number int
			order, err := scanOrder(r, &number, &nowMS)
			found = append(found, lockedOrder{order, sale.Bucket{Sale: order.Sale, SKU: order.SKU, Number: number}})
			return err
		})
		if err != nil {
			return nil, 0, fmt.Errorf("lock %d orders: %w", len(ids), err)
		}
	}
	return found, nowMS, nil
}

// leaveOrders writes the new status of released orders and gives their buyers' allowances back.
func (s *Store) leaveOrders(ctx context.Context, tx *sql.Tx, nowMS int64, p *ledger.Plan) error {
	now := datetime(nowMS)
	for chunk := range slices.Chunk(p.Released, maxIDs) {
		args := []any{string(p.NewStatus), string(p.Reason), now, now}
		for _, o := range chunk {
			args = append(args, int64(o.OrderID))
		}
		statement := fmt.Sprintf(sqlLeave, s.dialect.forced) + stillConfirmed + "order_id IN (" + placeholders(len(chunk)) + ")"
		if err := changeExactly(ctx, tx, len(chunk), "order rows", statement, args); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(p.Released, maxTerms) {
		var args []any
		for _, o := range chunk {
			args = append(args, o.Sale, o.SKU, o.Buyer, int64(o.OrderID))
		}
		statement := s.dialect.remove("allowances") + repeated("", ofAllowance, " OR ", len(chunk), "")
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}
