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
	sqlStock = "SELECT bucket, sku, number, per_buyer_limit, loaded, settled, released FROM stock WHERE sale_id = ?"
	sqlRows  = "SELECT order_id, bucket, buyer_id, COALESCE(sku, ''), quantity, COALESCE(unit_price_cents, 0), total_cents, " +
		"line_count, status, idempotency_key FROM orders WHERE sale_id = ?"
	sqlLines = "SELECT l.order_id, l.sku, l.quantity, l.unit_price_cents FROM order_lines l " +
		"JOIN orders o ON o.order_id = l.order_id WHERE o.sale_id = ?"
	sqlLoose = "SELECT DISTINCT l.order_id FROM order_lines l LEFT JOIN orders o ON o.order_id = l.order_id " +
		"WHERE o.order_id IS NULL ORDER BY l.order_id LIMIT 20"
	sqlDead    = "SELECT order_id FROM dead_letter_orders WHERE sale_id = ?"
	sqlLetters = "SELECT record FROM dead_letters WHERE state = 'waiting'"
	sqlMarkers = "SELECT bucket, epoch, sequence, batch_id FROM batches WHERE sale_id = ?"
	sqlForked  = "SELECT bucket, epoch, sequence, batch_id FROM forks WHERE sale_id = ?"
	sqlReached = "SELECT partition_id, next_offset FROM positions"
	sqlVersion = "SELECT VERSION()"
)

// snapshot is what the database has of one sale at one moment.
type snapshot struct {
	*facts
	moved map[int32]int64 // next offset to settle in each partition
}

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

// read reads a sale in one snapshot of the database: all plain reads of a repeatable-read transaction see the moment of
// the first one. Every supported database accepts this form; TiDB refuses START TRANSACTION READ ONLY (error 1235)
// while its tidb_enable_noop_functions is off.
func (d *database) read(ctx context.Context, s saleRow) (*snapshot, error) {
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return nil, fmt.Errorf("begin a snapshot: %w", err)
	}
	snap := &snapshot{facts: newFacts(s.id), moved: map[int32]int64{}}
	snap.saleLimit, snap.archived = s.limit, s.archived
	err = snap.read(ctx, tx)
	return snap, errors.Join(err, tx.Rollback())
}

func (s *snapshot) read(ctx context.Context, tx *sql.Tx) error {
	byID := []any{s.sale}
	steps := []struct {
		query string
		args  []any
		note  func(*sql.Rows) error
	}{
		{sqlReached, nil, s.noteReached},
		{sqlItems, byID, s.noteItem},
		{sqlBuckets, byID, s.noteBucket},
		{sqlStock, byID, s.noteStock},
		{sqlRows, byID, s.noteRow},
		{sqlLines, byID, s.noteLine},
		{sqlLoose, nil, s.noteLoose},
		{sqlDead, byID, s.noteDead},
		{sqlLetters, nil, s.noteLetter},
		{sqlMarkers, byID, noteMark(func(at writeID, id sale.OrderID) { s.markers[at] = id })},
		{sqlForked, byID, noteMark(func(at writeID, id sale.OrderID) { s.forks[at] = append(s.forks[at], id) })},
	}
	for _, step := range steps {
		if err := query(ctx, tx, step.query, step.args, step.note); err != nil {
			return fmt.Errorf("read sale %s: %w", s.sale, err)
		}
	}
	for _, r := range s.rows {
		sortLines(r.lines)
	}
	return nil
}

func (s *snapshot) noteReached(rows *sql.Rows) error {
	var partition int32
	var next int64
	err := rows.Scan(&partition, &next)
	s.moved[partition] = next
	return err
}

func (s *snapshot) noteItem(rows *sql.Rows) error {
	var sku string
	var item itemFacts
	err := rows.Scan(&sku, &item.number, &item.stock, &item.limit)
	s.items[sku] = &item
	return err
}

func (s *snapshot) noteBucket(rows *sql.Rows) error {
	var number int
	var b bucketFacts
	err := rows.Scan(&number, &b.epoch, &b.state, &b.partition, &b.waiting)
	s.buckets[number] = &b
	return err
}

func (s *snapshot) noteStock(rows *sql.Rows) error {
	var of shelfID
	units := shelfFacts{inDatabase: true}
	err := rows.Scan(&of.bucket, &of.sku, &units.number, &units.limit, &units.loaded, &units.settled, &units.released)
	s.shelves[of] = &units
	return err
}

// noteRow files an order. The line of an order of one SKU is in its row, the others follow in the table of lines.
func (s *snapshot) noteRow(rows *sql.Rows) error {
	var id sale.OrderID
	var price int64
	var r row
	err := rows.Scan(&id, &r.bucket, &r.buyer, &r.sku, &r.quantity, &price, &r.total, &r.count, &r.status, &r.key)
	if r.sku != "" {
		r.lines = []line{{r.sku, r.quantity, price}}
	}
	s.rows[id] = r
	return err
}

func (s *snapshot) noteLine(rows *sql.Rows) error {
	var id sale.OrderID
	var l line
	err := rows.Scan(&id, &l.sku, &l.quantity, &l.price)
	r := s.rows[id]
	r.lines = append(r.lines, l)
	s.rows[id] = r
	return err
}

func (s *snapshot) noteLoose(rows *sql.Rows) error {
	var id sale.OrderID
	err := rows.Scan(&id)
	s.loose = append(s.loose, id)
	return err
}

func (s *snapshot) noteDead(rows *sql.Rows) error {
	var id sale.OrderID
	err := rows.Scan(&id)
	s.dead[id] = true
	return err
}

// noteLetter files a record that is in the dead letters. A record that cannot be parsed names no orders and is not
// counted.
func (s *snapshot) noteLetter(rows *sql.Rows) error {
	var text string
	if err := rows.Scan(&text); err != nil {
		return err
	}
	if letter, ok := parseRecord(text); ok && letter.sale == s.sale {
		s.letters[mark{letter.at, letter.id}] = letter
	}
	return nil
}

func noteMark(note func(writeID, sale.OrderID)) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var at writeID
		var id sale.OrderID
		err := rows.Scan(&at.bucket, &at.epoch, &at.sequence, &id)
		note(at, id)
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
