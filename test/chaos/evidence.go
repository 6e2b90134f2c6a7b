package chaos

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/test/buyers/history"
	"flashsale/test/check"
)

// witness looks at the database while the faults go on, past every wire: which epochs live, which buckets are for sale,
// how many units stand, and whether the engine paused a sale by itself.
type witness struct {
	books  *sql.DB
	sales  []any                     // ids
	epochs map[check.EpochSeen]int64 // without its moment, to the first moment
	peaks  map[[2]string]int64
	since  map[string]time.Time // buckets that are closed, to the moment at which that was seen
	closed []time.Duration      // how long the others were
	paused map[string]string    // sales that the engine paused, to its reason
}

func newWitness(books *sql.DB, sales []*saleUnderTest) *witness {
	w := &witness{books: books, epochs: map[check.EpochSeen]int64{}, peaks: map[[2]string]int64{},
		since: map[string]time.Time{}, paused: map[string]string{}}
	for _, s := range sales {
		w.sales = append(w.sales, s.id)
	}
	return w
}

const (
	witnessEvery  = 50 * time.Millisecond
	witnessWithin = time.Second
)

func (w *witness) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.look(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(witnessEvery):
		}
	}
}

// Questions of the witness, about the two sales of a round.
const (
	sqlBuckets = "SELECT sale_id, sku, bucket, epoch, state FROM stock WHERE sale_id IN (?, ?) AND epoch > 0"
	sqlUnits   = "SELECT sale_id, sku, SUM(quantity) FROM orders WHERE sale_id IN (?, ?) AND status IN ('confirmed', 'paid') GROUP BY sale_id, sku"
	sqlReasons = "SELECT sale_id, reason FROM sales WHERE sale_id IN (?, ?) AND reason <> ''"
)

// look reads once; a database that is away is looked at again soon.
func (w *witness) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, witnessWithin)
	defer cancel()
	err := each(ctx, w.books, sqlBuckets, func(rows *sql.Rows) error {
		var s check.EpochSeen
		var state string
		if err := rows.Scan(&s.Sale, &s.SKU, &s.Bucket, &s.Epoch, &state); err != nil {
			return err
		}
		w.bucket(s, state)
		return nil
	}, w.sales...)
	if err != nil {
		return
	}
	err = each(ctx, w.books, sqlUnits, func(rows *sql.Rows) error {
		var id [2]string
		var units int64
		if err := rows.Scan(&id[0], &id[1], &units); err != nil {
			return err
		}
		w.peaks[id] = max(w.peaks[id], units)
		return nil
	}, w.sales...)
	if err != nil {
		return
	}
	_ = each(ctx, w.books, sqlReasons, func(rows *sql.Rows) error { // as with the others: the next look finds it
		var id, reason string
		if err := rows.Scan(&id, &reason); err != nil {
			return err
		}
		w.paused[id] = reason
		return nil
	}, w.sales...)
}

func (w *witness) bucket(s check.EpochSeen, state string) {
	now := time.Now()
	if _, known := w.epochs[s]; !known {
		w.epochs[s] = now.UnixMicro()
	}
	name := fmt.Sprintf("%s/%s/%d", s.Sale, s.SKU, s.Bucket)
	since, closed := w.since[name]
	switch {
	case state != "open" && !closed:
		w.since[name] = now
	case state == "open" && closed:
		w.closed = append(w.closed, now.Sub(since))
		delete(w.since, name)
	}
}

// each calls use for every row, and returns the first error.
func each(ctx context.Context, db *sql.DB, query string, use func(*sql.Rows) error, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
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

// gather reads everything about some sales that are at rest.
func (w *world) gather(sales []*saleUnderTest, ops []history.Op, seen *witness) (*check.Evidence, error) {
	e := &check.Evidence{Sales: map[string]check.Sale{}, Ops: ops}
	for _, s := range sales {
		e.Sales[s.id] = s.forCheck()
		if err := w.rows(e, s.id); err != nil {
			return nil, fmt.Errorf("read the rows of %s: %w", s.id, err)
		}
		for _, i := range s.items {
			stock, err := w.stock(s.id, i)
			if err != nil {
				return nil, fmt.Errorf("read the stock of %s/%s: %w", s.id, i.SKU, err)
			}
			e.Stock = append(e.Stock, stock)
		}
	}
	for s, at := range seen.epochs {
		s.AtUS = at
		e.Epochs = append(e.Epochs, s)
	}
	for id, units := range seen.peaks {
		e.Peaks = append(e.Peaks, check.Peak{Sale: id[0], SKU: id[1], Units: units})
	}
	e.Paused = seen.paused
	if err := w.readAll(ordersTopic, func(r *kgo.Record) {
		if b, is := batchOf(string(r.Value)); is && e.Sales[b.Sale].Limit > 0 {
			e.Batches = append(e.Batches, b)
		}
	}); err != nil {
		return nil, err
	}
	return e, w.readAll(eventsTopic, func(r *kgo.Record) { addEvent(e, r) })
}

func (w *world) rows(e *check.Evidence, id string) error {
	const query = "SELECT order_id, sale_id, sku, buyer_id, idempotency_key, quantity, status, reason, COALESCE(payment_id, ''), " +
		"CAST(UNIX_TIMESTAMP(created_at) * 1000 AS SIGNED), CAST(UNIX_TIMESTAMP(updated_at) * 1000 AS SIGNED) FROM orders WHERE sale_id = ?"
	ctx, cancel := context.WithTimeout(context.Background(), kafkaWithin)
	defer cancel()
	conn, err := w.books.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SET time_zone = '+00:00'"); err != nil {
		return err
	}
	rows, err := conn.QueryContext(ctx, query, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r check.Row
		if err := rows.Scan(&r.Order, &r.Sale, &r.SKU, &r.Buyer, &r.Key, &r.Quantity, &r.Status, &r.Reason, &r.Payment,
			&r.CreatedMS, &r.UpdatedMS); err != nil {
			return err
		}
		e.Rows = append(e.Rows, r)
	}
	return rows.Err()
}

// stock reads the counters of a SKU: from the database, and from Redis with plain commands.
func (w *world) stock(id string, i item) (check.Stock, error) {
	s := check.Stock{Sale: id, SKU: i.SKU}
	ctx, cancel := context.WithTimeout(context.Background(), kafkaWithin)
	defer cancel()
	var settledEpoch, givenEpoch int64
	err := w.books.QueryRowContext(ctx, "SELECT SUM(loaded), SUM(settled), SUM(released), SUM(settled_epoch), SUM(given_epoch) "+
		"FROM stock WHERE sale_id = ? AND sku = ?", id, i.SKU).Scan(&s.Loaded, &s.Settled, &s.Released, &settledEpoch, &givenEpoch)
	if err != nil {
		return s, err
	}
	for bucket := range i.Buckets {
		key := fmt.Sprintf("%s:{%s:%s:%d}:meta", namespace, id, i.SKU, bucket)
		values, err := w.redis.primary.Do("HMGET", key, "available", "taken", "returned")
		if err != nil {
			return s, err
		}
		numbers, _ := values.([]any)
		if len(numbers) != 3 {
			return s, fmt.Errorf("redis says %v of %s", values, key)
		}
		s.Available += number(numbers[0])
		s.InFlight += number(numbers[1]) - number(numbers[2])
	}
	s.InFlight += givenEpoch - settledEpoch
	return s, nil
}

func number(value any) int64 {
	text, _ := value.(string)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0 // absent: nothing of it
	}
	return n
}

// batchOf reads a record of the orders topic; false for fences and transfers. The format is the one that docs describe;
// the suite reads it with code of its own.
func batchOf(record string) (check.Batch, bool) {
	lines := strings.Split(strings.TrimSuffix(record, "\n"), "\n")
	head := strings.Fields(lines[0])
	if len(head) != 10 || head[0] != "fs1" || head[1] != "batch" {
		return check.Batch{}, false
	}
	b := check.Batch{Sale: head[2], SKU: head[3], Bucket: int(number(head[4])), Epoch: number(head[5]), CreatedMS: number(head[8])}
	for _, line := range lines[1:] {
		id, _, _ := strings.Cut(line, " ")
		b.Orders = append(b.Orders, id)
	}
	return b, true
}

func addEvent(e *check.Evidence, r *kgo.Record) {
	var event struct {
		ID, Type, Subject string
		Data              json.RawMessage
	}
	if err := json.Unmarshal(r.Value, &event); err != nil {
		event.ID, event.Data = string(r.Key), json.RawMessage(r.Value) // found by the check of its id
	}
	e.Events = append(e.Events, check.Event{ID: event.ID, Order: event.Subject, Data: string(event.Data),
		Status: strings.TrimPrefix(event.Type, "flashsale.order.")})
}
