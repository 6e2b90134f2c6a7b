package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"flashsale/sale"
)

// snapshot is what the database has of one sale at one moment.
type snapshot struct {
	*facts
	moved map[int32]int64 // next offset to settle in each partition
}

// snapshotOf describes one reading of the database.
type snapshotOf struct {
	sale  saleRow
	words *words
	rows  int                  // about how many rows there are, 0: unknown
	loose bool                 // look for lines without an order; they belong to no sale
	goOn  func(*snapshot) bool // asked before the orders are read: false ends the reading
}

// read reads a sale in one snapshot of the database: all plain reads of a repeatable-read transaction see the moment of
// the first one. Every supported database accepts this form; TiDB refuses START TRANSACTION READ ONLY (error 1235)
// while its tidb_enable_noop_functions is off.
func (d *database) read(ctx context.Context, of snapshotOf) (*snapshot, error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin a snapshot: %w", err), conn.Close())
	}
	snap := &snapshot{facts: newFacts(of.sale.id, of.words), moved: map[int32]int64{}}
	snap.saleLimit, snap.archived = of.sale.limit, of.sale.archived
	snap.rows = make([]row, 0, of.rows)
	err = snap.readCounters(ctx, tx)
	if err == nil && of.goOn(snap) {
		err = snap.readOrders(ctx, tx, conn, of.loose)
	}
	if err != nil {
		err = fmt.Errorf("read sale %s: %w", of.sale.id, err)
	}
	return snap, errors.Join(err, tx.Rollback(), conn.Close())
}

// step is one statement of a snapshot.
type step struct {
	query string
	args  []any
	note  func(*sql.Rows) error
}

// readCounters reads what the database counts: a few rows.
func (s *snapshot) readCounters(ctx context.Context, tx *sql.Tx) error {
	byID := []any{s.sale}
	return s.steps(ctx, tx, []step{
		{sqlReached, nil, s.noteReached},
		{sqlItems, byID, s.noteItem},
		{sqlBuckets, byID, s.noteBucket},
		{sqlStock, byID, s.noteStock},
		{sqlPaid, byID, s.notePaid},
	})
}

// readOrders reads the orders and the records that were settled.
func (s *snapshot) readOrders(ctx context.Context, tx *sql.Tx, conn *sql.Conn, loose bool) error {
	if err := (&orderReader{snapshot: s, conn: conn}).read(ctx, loose); err != nil {
		return err
	}
	byID := []any{s.sale}
	return s.steps(ctx, tx, []step{
		{sqlDead, byID, s.noteDead},
		{sqlLetters, nil, s.noteLetter},
		{sqlMarkers, byID, noteMark(&s.markers)},
		{sqlForked, byID, noteMark(&s.forks)},
	})
}

func (s *snapshot) steps(ctx context.Context, tx *sql.Tx, steps []step) error {
	for _, step := range steps {
		if err := query(ctx, tx, step.query, step.args, step.note); err != nil {
			return err
		}
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

func (s *snapshot) notePaid(rows *sql.Rows) error {
	var sku string
	var paid paidFacts
	err := rows.Scan(&sku, &paid.units, &paid.orders)
	s.paid[sku] = paid
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
	var text []byte
	if err := rows.Scan(&text); err != nil {
		return err
	}
	parser := newRecordParser(s.words, func(saleID string) bool { return saleID == s.sale })
	if letter, ok := parser.parse(text); ok && letter.sale == s.sale {
		letter.orders = distinct(slices.Clone(letter.orders))
		s.letters[mark{letter.at, letter.id}] = letter
	}
	return nil
}

func noteMark(to *marks) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var m mark
		err := rows.Scan(&m.at.bucket, &m.at.epoch, &m.at.sequence, &m.id)
		*to = append(*to, m)
		return err
	}
}
