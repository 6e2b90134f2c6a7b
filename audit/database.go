package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"flashsale/dsn"
)

// database reads the database with this package's own statements.
type database struct{ db *sql.DB }

// openDatabase prepares the connection: times as text, ids compared by bytes, no other settings of the server.
func openDatabase(o Options) (*database, error) {
	name, err := dsn.Parse(o.DSN)
	if err != nil {
		return nil, fmt.Errorf("read mysql.dsn: %w", err)
	}
	name.Secure(o.DatabaseTLS)
	config := name.Config
	config.ParseTime, config.Loc, config.InterpolateParams = false, time.UTC, true
	config.Timeout, config.ReadTimeout = dialTimeout, readTimeout
	connector, err := name.Connector()
	if err != nil {
		return nil, fmt.Errorf("read mysql.dsn: %w", err)
	}
	return &database{sql.OpenDB(connector)}, nil
}

// saleRow is what the audit needs of a sale.
type saleRow struct {
	id     string
	limit  int64 // units per buyer over all SKUs, 0 = none
	starts time.Time

	archived bool
}

const (
	sqlSales = "SELECT sale_id, per_buyer_sale_limit, DATE_FORMAT(starts_at, '%Y-%m-%d %H:%i:%s'), state = 'archived' " +
		"FROM sales WHERE state <> 'draft' ORDER BY sale_id"
	sqlItems = "SELECT i.sku, i.number, i.stock, COALESCE(i.per_buyer_limit, s.per_buyer_limit) " +
		"FROM items i JOIN sales s ON s.sale_id = i.sale_id WHERE i.sale_id = ?"
	sqlBuckets = "SELECT b.bucket, b.epoch, b.state, b.partition_id, " +
		"(SELECT COUNT(*) FROM outbox o WHERE o.sale_id = b.sale_id AND o.bucket = b.bucket) FROM buckets b WHERE b.sale_id = ?"
	sqlStock   = "SELECT bucket, sku, number, per_buyer_limit, loaded, settled, released FROM stock WHERE sale_id = ?"
	sqlPaid    = "SELECT sku, SUM(units), SUM(orders) FROM paid_units WHERE sale_id = ? GROUP BY sku"
	sqlDead    = "SELECT order_id FROM dead_letter_orders WHERE sale_id = ?"
	sqlLetters = "SELECT record FROM dead_letters WHERE state = 'waiting'"
	sqlMarkers = "SELECT bucket, epoch, sequence, batch_id FROM batches WHERE sale_id = ?"
	sqlForked  = "SELECT bucket, epoch, sequence, batch_id FROM forks WHERE sale_id = ?"
	sqlNumbers = "SELECT bucket FROM buckets WHERE sale_id = ?"
	sqlReached = "SELECT partition_id, next_offset FROM positions"
	sqlVersion = "SELECT VERSION()"
)

// sales lists the sales with stock, archived ones too.
func (d *database) sales(ctx context.Context) ([]saleRow, error) {
	var found []saleRow
	err := query(ctx, d.db, sqlSales, nil, func(rows *sql.Rows) error {
		var s saleRow
		var starts string
		err := rows.Scan(&s.id, &s.limit, &starts, &s.archived)
		if err == nil {
			s.starts, err = time.ParseInLocation(time.DateTime, starts, time.UTC)
		}
		found = append(found, s)
		return err
	})
	return found, err
}

// buckets returns the numbers of a sale's buckets.
func (d *database) buckets(ctx context.Context, id string) (numbers []int, err error) {
	err = query(ctx, d.db, sqlNumbers, []any{id}, func(rows *sql.Rows) error {
		var number int
		err := rows.Scan(&number)
		numbers = append(numbers, number)
		return err
	})
	return numbers, err
}

func (d *database) version(ctx context.Context) (version string, err error) {
	err = d.db.QueryRowContext(ctx, sqlVersion).Scan(&version)
	return version, err
}

// asker is the database or a snapshot of it.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func query(ctx context.Context, in asker, statement string, args []any, note func(*sql.Rows) error) (err error) {
	rows, err := in.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := note(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
