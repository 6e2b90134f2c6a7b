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
	sqlLockOrders = "SELECT " + orderColumns + ", " + ownLine + ", o.bucket, %s FROM orders o%s WHERE o.order_id IN ("
	sqlLeave      = "UPDATE orders%s SET status = ?, reason = ?, due_at = NULL, " +
		"updated_at = CASE WHEN created_at > ? THEN created_at ELSE ? END WHERE "
	stillConfirmed = "status = 'confirmed' AND "
)

// lockedOrder is an order with a row that is locked until the commit.
type lockedOrder struct {
	orderRow
	bucket sale.Bucket
}

func (o *lockedOrder) releasing() ledger.Releasing {
	return ledger.Releasing{Bucket: o.bucket, ReleasedOrder: sale.ReleasedOrder{
		OrderID: o.OrderID, Lines: o.Lines, Buyer: o.BuyerID,
	}}
}

// lockOrders locks those of the orders that have a row, in the order of their ids, and returns them with the time of the
// database. A caller that releases them must have locked their bucket rows before.
func (s *Store) lockOrders(ctx context.Context, tx *sql.Tx, ids []sale.OrderID) (found []lockedOrder, nowMS int64, err error) {
	head := fmt.Sprintf(sqlLockOrders, s.dialect.nowMS, s.dialect.forced)
	var rows []orderRow
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(ids)), maxIDs) {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = int64(id)
		}
		query := head + placeholders(len(chunk)) + ") ORDER BY o.order_id" + s.dialect.lock
		err := each(ctx, tx, query, args, func(r scanner) error {
			var number int
			order, line, err := scanOrder(r, &number, &nowMS)
			rows = append(rows, rowOf(order, &line))
			found = append(found, lockedOrder{bucket: sale.Bucket{Sale: order.Sale, Number: number}})
			return err
		})
		if err != nil {
			return nil, 0, fmt.Errorf("lock %d orders: %w", len(ids), err)
		}
	}
	if err := addLines(ctx, tx, rows); err != nil {
		return nil, 0, err
	}
	for i := range rows {
		found[i].orderRow = rows[i]
	}
	return found, nowMS, nil
}

// leaveOrders writes the new status of released orders.
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
	return nil
}

// planRelease plans that locked orders give their units back. The rows of their buckets are locked.
func (s *Store) planRelease(
	ctx context.Context, tx *sql.Tx, rows map[sale.Bucket]*ledger.Row, nowMS int64, leaving []ledger.Releasing,
	status sale.OrderStatus, reason sale.OrderReason,
) (*ledger.Plan, error) {
	var shelves []sale.Shelf
	for i := range leaving {
		for _, line := range leaving[i].Lines {
			shelves = append(shelves, sale.Shelf{Bucket: leaving[i].Bucket, SKU: line.SKU})
		}
	}
	stock, err := s.readStock(ctx, tx, shelves)
	if err != nil {
		return nil, fmt.Errorf("read stock rows: %w", err)
	}
	for _, shelf := range shelves {
		if rows[shelf.Bucket] == nil || stock[shelf] == nil {
			return nil, fmt.Errorf("an order is of %s, which the database does not have", shelf)
		}
	}
	decided := ledger.NewPlan(ledger.NewState(rows, stock, nowMS, true))
	decided.Release(leaving, status, reason)
	return decided, nil
}
