package gather

import (
	"context"
	"database/sql"
	"fmt"

	"flashsale/test/check"
)

const sqlRows = "SELECT order_id, sale_id, COALESCE(sku, ''), COALESCE(unit_price_cents, 0), line_count, quantity, " +
	"total_cents, buyer_id, idempotency_key, bucket, status, reason, " +
	"COALESCE(payment_id, ''), CAST(UNIX_TIMESTAMP(created_at) * 1000 AS SIGNED), " +
	"CAST(UNIX_TIMESTAMP(updated_at) * 1000 AS SIGNED) FROM orders WHERE sale_id = ?"

const sqlLines = "SELECT l.order_id, l.sku, l.quantity, l.unit_price_cents FROM order_lines l " +
	"JOIN orders o ON o.order_id = l.order_id WHERE o.sale_id = ? ORDER BY l.order_id, l.line"

// Rows returns every order row of a sale with its lines: that of an order of one line is in the row, the others are in a table
// of their own.
func Rows(ctx context.Context, db *sql.DB, saleID string) (all []check.Row, err error) {
	err = each(ctx, db, sqlRows, func(found *sql.Rows) error {
		r := check.Row{Sums: &check.Sums{}}
		var only check.Line
		err := found.Scan(&r.Order, &r.Sale, &only.SKU, &only.UnitPriceCents, &r.Sums.Lines, &r.Sums.Units, &r.Sums.TotalCents,
			&r.Buyer, &r.Key, &r.Bucket, &r.Status, &r.Reason, &r.Payment, &r.CreatedMS, &r.UpdatedMS)
		if only.SKU != "" {
			only.Quantity = r.Sums.Units
			r.Lines = []check.Line{only}
		}
		all = append(all, r)
		return err
	}, saleID)
	places := map[string]int{}
	for i := range all {
		places[all[i].Order] = i
	}
	if err == nil {
		err = each(ctx, db, sqlLines, func(found *sql.Rows) error {
			var order string
			var line check.Line
			err := found.Scan(&order, &line.SKU, &line.Quantity, &line.UnitPriceCents)
			if at, read := places[order]; read { // an order that was written meanwhile is not in the rows
				all[at].Lines = append(all[at].Lines, line)
			}
			return err
		}, saleID)
	}
	if err != nil {
		return nil, fmt.Errorf("read the rows of %s: %w", saleID, err)
	}
	return all, nil
}

const sqlSale = "SELECT CAST(UNIX_TIMESTAMP(starts_at) * 1000 AS SIGNED), CAST(UNIX_TIMESTAMP(ends_at) * 1000 AS SIGNED), " +
	"per_buyer_limit, per_buyer_sale_limit FROM sales WHERE sale_id = ?"

const sqlLimits = "SELECT sku, per_buyer_limit FROM items WHERE sale_id = ? AND per_buyer_limit IS NOT NULL"

// Sale returns the window and the limits of a sale as the database has them. The caller, which defined the sale, adds what
// was loaded.
func Sale(ctx context.Context, db *sql.DB, saleID string) (s check.Sale, err error) {
	s.Limits = map[string]int{}
	err = each(ctx, db, sqlSale, func(found *sql.Rows) error {
		return found.Scan(&s.StartsMS, &s.EndsMS, &s.Limit, &s.SaleLimit)
	}, saleID)
	if err == nil {
		err = each(ctx, db, sqlLimits, func(found *sql.Rows) error {
			var sku string
			var limit int
			err := found.Scan(&sku, &limit)
			s.Limits[sku] = limit
			return err
		}, saleID)
	}
	if err != nil {
		return s, fmt.Errorf("read the sale %s: %w", saleID, err)
	}
	return s, nil
}

const sqlPaid = "SELECT sku, SUM(units), SUM(orders) FROM paid_units WHERE sale_id = ? GROUP BY sku"

// Paid returns what the database counts of a sale's payments, by SKU.
func Paid(ctx context.Context, db *sql.DB, saleID string) ([]check.Paid, error) {
	all := []check.Paid{}
	err := each(ctx, db, sqlPaid, func(found *sql.Rows) error {
		p := check.Paid{Sale: saleID}
		err := found.Scan(&p.SKU, &p.Units, &p.Orders)
		all = append(all, p)
		return err
	}, saleID)
	if err != nil {
		return nil, fmt.Errorf("read the paid units of %s: %w", saleID, err)
	}
	return all, nil
}

// Waiting counts the rows of the tables outbox and events, by a name for each.
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
