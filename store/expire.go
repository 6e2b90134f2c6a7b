package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

const sqlDue = "SELECT order_id, sale_id, bucket FROM orders WHERE due_at <= %s ORDER BY due_at LIMIT ?"

// ExpireOrders expires up to limit confirmed orders whose payment time is over by the database's clock, oldest first. It gives
// their units back and returns how many it expired; if it returns limit, there may be more. It skips an order
// that is paid or cancelled between the search and the lock.
func (s *Store) ExpireOrders(ctx context.Context, limit int) (int, error) {
	ids, buckets, err := s.dueOrders(ctx, limit)
	if err != nil {
		return 0, fmt.Errorf("look for unpaid orders: %w", err)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	expired := 0
	err = s.transact(ctx, func(tx *sql.Tx) (err error) {
		expired, err = s.expireOrders(ctx, tx, ids, buckets)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("expire %d orders: %w", len(ids), err)
	}
	faults.Point("store.expired")
	return expired, nil
}

// dueOrders searches without a lock and outside a transaction, so that a search without a result costs one statement.
func (s *Store) dueOrders(ctx context.Context, limit int) (ids []sale.OrderID, buckets []sale.Bucket, err error) {
	err = each(ctx, s.db, fmt.Sprintf(sqlDue, s.dialect.now), []any{limit}, func(rows scanner) error {
		var id sale.OrderID
		var bucket sale.Bucket
		err := rows.Scan(&id, &bucket.Sale, &bucket.Number)
		ids, buckets = append(ids, id), append(buckets, bucket)
		return err
	})
	return ids, buckets, err
}

func (s *Store) expireOrders(ctx context.Context, tx *sql.Tx, ids []sale.OrderID, buckets []sale.Bucket) (int, error) {
	rows, _, err := s.lockBuckets(ctx, tx, buckets)
	if err != nil {
		return 0, err
	}
	locked, nowMS, err := s.lockOrders(ctx, tx, ids)
	if err != nil {
		return 0, err
	}
	paid, err := s.payRemembered(ctx, tx, nowMS, ids) // a remembered payment precedes the expiry
	if err != nil {
		return 0, err
	}
	leaving := make([]ledger.Releasing, 0, len(locked))
	for i := range locked {
		o := &locked[i]
		if !ledger.Expires(&o.Order, nowMS) || slices.Contains(paid, o.OrderID) {
			continue
		}
		leaving = append(leaving, o.releasing())
	}
	if len(leaving) == 0 {
		return 0, nil
	}
	decided, err := s.planRelease(ctx, tx, rows, nowMS, leaving, sale.StatusExpired, sale.ReasonNone)
	if err != nil {
		return 0, err
	}
	err = s.writePlan(ctx, tx, nowMS, decided)
	faults.Point("store.expiry-written")
	return len(leaving), err
}
