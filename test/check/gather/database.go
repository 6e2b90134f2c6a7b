package gather

import (
	"context"
	"database/sql"
	"fmt"

	"flashsale/test/check"
)

const sqlRows = "SELECT order_id, sale_id, sku, buyer_id, idempotency_key, bucket, quantity, status, reason, " +
	"COALESCE(payment_id, ''), CAST(UNIX_TIMESTAMP(created_at) * 1000 AS SIGNED), " +
	"CAST(UNIX_TIMESTAMP(updated_at) * 1000 AS SIGNED) FROM orders WHERE sale_id = ?"

// Rows returns every order row of a sale.
func Rows(ctx context.Context, db *sql.DB, saleID string) (all []check.Row, err error) {
	err = each(ctx, db, sqlRows, func(found *sql.Rows) error {
		var r check.Row
		err := found.Scan(&r.Order, &r.Sale, &r.SKU, &r.Buyer, &r.Key, &r.Bucket, &r.Quantity, &r.Status, &r.Reason, &r.Payment,
			&r.CreatedMS, &r.UpdatedMS)
		all = append(all, r)
		return err
	}, saleID)
	if err != nil {
		return nil, fmt.Errorf("read the rows of %s: %w", saleID, err)
	}
	return all, nil
}

const sqlSale = "SELECT CAST(UNIX_TIMESTAMP(starts_at) * 1000 AS SIGNED), CAST(UNIX_TIMESTAMP(ends_at) * 1000 AS SIGNED), " +
	"per_buyer_limit FROM sales WHERE sale_id = ?"

// Sale returns the window and the limit of a sale as the database has them. What was loaded is for the caller to say, who
// defined it.
func Sale(ctx context.Context, db *sql.DB, saleID string) (s check.Sale, err error) {
	err = each(ctx, db, sqlSale, func(found *sql.Rows) error { return found.Scan(&s.StartsMS, &s.EndsMS, &s.Limit) }, saleID)
	if err != nil {
		return s, fmt.Errorf("read the sale %s: %w", saleID, err)
	}
	return s, nil
}

// Waiting counts the rows that are on their way out of the database.
func Waiting(ctx context.Context, db *sql.DB) (map[string]int64, error) {
	waiting := map[string]int64{}
	for _, table := range []string{"outbox", "events"} {
		err := each(ctx, db, "SELECT COUNT(*) FROM "+table, func(found *sql.Rows) error {
			var n int64
			err := found.Scan(&n)
			waiting["rows of "+table] = n
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("count what waits: %w", err)
		}
	}
	return waiting, nil
}

// each calls use for every row of a query, with times in UTC.
func each(ctx context.Context, db *sql.DB, query string, use func(*sql.Rows) error, args ...any) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SET time_zone = '+00:00'"); err != nil {
		return err
	}
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := use(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
