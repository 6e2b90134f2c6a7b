package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"flashsale/sale"
)

// database reads the database with this package's own statements.
type database struct{ db *sql.DB }

// openDatabase prepares the connection: times as text, ids compared by bytes, no other settings of the server.
func openDatabase(dsn string) (*database, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("read mysql.dsn: %w", err)
	}
	config.ParseTime, config.Loc, config.InterpolateParams = false, time.UTC, true
	config.Timeout, config.ReadTimeout = dialTimeout, readTimeout
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("read mysql.dsn: %w", err)
	}
	return &database{sql.OpenDB(connector)}, nil
}

// saleRow is what the audit needs of a sale.
type saleRow struct {
	id     string
	limit  int64
	starts time.Time
}

const (
	sqlSales = "SELECT sale_id, per_buyer_limit, DATE_FORMAT(starts_at, '%Y-%m-%d %H:%i:%s') FROM sales " +
		"WHERE state <> 'draft' ORDER BY sale_id"
	sqlStock = "SELECT s.sku, s.bucket, s.epoch, s.state, s.partition_id, s.loaded, s.settled, s.released, " +
		"COALESCE((SELECT SUM(o.units) FROM outbox o " +
		"WHERE o.sale_id = s.sale_id AND o.sku = s.sku AND o.bucket = s.bucket), 0) " +
		"FROM stock s WHERE s.sale_id = ?"
	sqlRows    = "SELECT sku, order_id, bucket, buyer_id, quantity, status, idempotency_key FROM orders WHERE sale_id = ?"
	sqlDead    = "SELECT sku, order_id FROM dead_letter_orders WHERE sale_id = ?"
	sqlLetters = "SELECT record FROM dead_letters WHERE state = 'waiting'"
	sqlMarkers = "SELECT sku, bucket, epoch, sequence, batch_id FROM batches WHERE sale_id = ?"
	sqlForked  = "SELECT sku, bucket, epoch, sequence, batch_id FROM forks WHERE sale_id = ?"
	sqlReached = "SELECT partition_id, next_offset FROM positions"
	sqlVersion = "SELECT VERSION()"
)

// snapshot is what the database has of one sale at one moment.
type snapshot struct {
	sale  saleRow
	skus  map[string]*facts
	moved map[int32]int64 // next offset to settle in each partition
}

// sales lists the sales with stock.
func (d *database) sales(ctx context.Context) ([]saleRow, error) {
	var found []saleRow
	err := query(ctx, d.db, sqlSales, nil, func(rows *sql.Rows) error {
		var s saleRow
		var starts string
		err := rows.Scan(&s.id, &s.limit, &starts)
		if err == nil {
			s.starts, err = time.ParseInLocation(time.DateTime, starts, time.UTC)
		}
		found = append(found, s)
		return err
	})
	return found, err
}

// read reads a sale in one snapshot of the database: all plain reads of a repeatable-read transaction see the moment of
// the first one. Every supported database accepts this form; TiDB refuses START TRANSACTION READ ONLY (error 1235)
// while its tidb_enable_noop_functions is off.
func (d *database) read(ctx context.Context, s saleRow) (*snapshot, error) {
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return nil, fmt.Errorf("begin a snapshot: %w", err)
	}
	snap := &snapshot{sale: s, skus: map[string]*facts{}, moved: map[int32]int64{}}
	err = snap.read(ctx, tx)
	return snap, errors.Join(err, tx.Rollback())
}

func (s *snapshot) read(ctx context.Context, tx *sql.Tx) error {
	byID := []any{s.sale.id}
	steps := []struct {
		query string
		args  []any
		note  func(*sql.Rows) error
	}{
		{sqlReached, nil, s.noteReached},
		{sqlStock, byID, s.noteStock},
		{sqlRows, byID, s.noteRow},
		{sqlDead, byID, s.noteDead},
		{sqlLetters, nil, s.noteLetter},
		{sqlMarkers, byID, s.noteMark(func(f *facts, at writeID, id sale.OrderID) { f.markers[at] = id })},
		{sqlForked, byID, s.noteMark(func(f *facts, at writeID, id sale.OrderID) { f.forks[at] = append(f.forks[at], id) })},
	}
	for _, step := range steps {
		if err := query(ctx, tx, step.query, step.args, step.note); err != nil {
			return fmt.Errorf("read sale %s: %w", s.sale.id, err)
		}
	}
	return nil
}

// of returns the facts of a SKU. A row of a SKU without a stock row gets facts of its own, so that the audit reports
// it.
func (s *snapshot) of(sku string) *facts {
	if s.skus[sku] == nil {
		s.skus[sku] = newFacts(s.sale.id, sku, s.sale.limit)
	}
	return s.skus[sku]
}

func (s *snapshot) noteReached(rows *sql.Rows) error {
	var partition int32
	var next int64
	err := rows.Scan(&partition, &next)
	s.moved[partition] = next
	return err
}

func (s *snapshot) noteStock(rows *sql.Rows) error {
	var sku string
	var number int
	var b bucketFacts
	err := rows.Scan(&sku, &number, &b.epoch, &b.state, &b.partition, &b.loaded, &b.settled, &b.released, &b.waiting)
	s.of(sku).buckets[number] = &b
	return err
}

func (s *snapshot) noteRow(rows *sql.Rows) error {
	var sku string
	var id sale.OrderID
	var r row
	err := rows.Scan(&sku, &id, &r.bucket, &r.buyer, &r.quantity, &r.status, &r.key)
	s.of(sku).rows[id] = r
	return err
}

func (s *snapshot) noteDead(rows *sql.Rows) error {
	var sku string
	var id sale.OrderID
	err := rows.Scan(&sku, &id)
	s.of(sku).dead[id] = true
	return err
}

// noteLetter files a record that is in the dead letters. A record that cannot be parsed names no orders and is not
// counted.
func (s *snapshot) noteLetter(rows *sql.Rows) error {
	var text string
	if err := rows.Scan(&text); err != nil {
		return err
	}
	if letter, ok := parseRecord(text); ok && letter.sale == s.sale.id {
		s.of(letter.sku).letters[mark{letter.at, letter.id}] = letter
	}
	return nil
}

func (s *snapshot) noteMark(note func(*facts, writeID, sale.OrderID)) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var sku string
		var at writeID
		var id sale.OrderID
		err := rows.Scan(&sku, &at.bucket, &at.epoch, &at.sequence, &id)
		note(s.of(sku), at, id)
		return err
	}
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
