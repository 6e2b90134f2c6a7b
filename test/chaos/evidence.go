package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/test/buyers/history"
	"flashsale/test/check"
	"flashsale/test/check/gather"
)

// witness reads the database during the faults, past every wire: epochs, open buckets, units of confirmed and paid orders,
// and whether the engine paused a sale by itself.
type witness struct {
	db     *sql.DB
	sales  []any                     // ids
	epochs map[check.EpochSeen]int64 // without its moment, to the first moment
	peaks  map[[2]string]int64
	since  map[string]time.Time // buckets that are closed, to the moment at which that was seen
	closed []time.Duration      // how long the others were
	paused map[string]string    // sales that the engine paused, to its reason
}

func newWitness(db *sql.DB, sales []*saleUnderTest) *witness {
	w := &witness{db: db, epochs: map[check.EpochSeen]int64{}, peaks: map[[2]string]int64{},
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
	sqlBuckets = "SELECT sale_id, bucket, epoch, state FROM buckets WHERE sale_id IN (?, ?) AND epoch > 0"
	sqlUnits   = "SELECT o.sale_id, COALESCE(o.sku, l.sku), SUM(COALESCE(l.quantity, o.quantity)) FROM orders o " +
		"LEFT JOIN order_lines l ON l.order_id = o.order_id " +
		"WHERE o.sale_id IN (?, ?) AND o.status IN ('confirmed', 'paid') GROUP BY 1, 2"
	sqlReasons = "SELECT sale_id, reason FROM sales WHERE sale_id IN (?, ?) AND reason <> ''"
)

// look reads once; after a failure the next look follows soon.
func (w *witness) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, witnessWithin)
	defer cancel()
	err := each(ctx, w.db, sqlBuckets, func(rows *sql.Rows) error {
		var s check.EpochSeen
		var state string
		if err := rows.Scan(&s.Sale, &s.Bucket, &s.Epoch, &state); err != nil {
			return err
		}
		w.bucket(s, state)
		return nil
	}, w.sales...)
	if err != nil {
		return
	}
	err = each(ctx, w.db, sqlUnits, func(rows *sql.Rows) error {
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
	_ = each(ctx, w.db, sqlReasons, func(rows *sql.Rows) error { // as above: the next look finds it
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
	name := fmt.Sprintf("%s/%d", s.Sale, s.Bucket)
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

// collect reads everything about some sales that are at rest.
func (w *world) collect(sales []*saleUnderTest, ops []history.Op, seen *witness) (*check.Evidence, error) {
	ctx, cancel := context.WithTimeout(context.Background(), kafkaWithin)
	defer cancel()
	e := &check.Evidence{Sales: map[string]check.Sale{}, Ops: ops, Paid: []check.Paid{}, Paused: seen.paused}
	for _, s := range sales {
		e.Sales[s.id] = s.forCheck()
		e.Changes = append(e.Changes, s.changes...)
		rows, err := gather.Rows(ctx, w.db, s.id)
		if err != nil {
			return nil, err
		}
		buckets, err := gather.Buckets(ctx, w.db, w.redis.primary, w.Name, s.id)
		if err != nil {
			return nil, err
		}
		paid, err := gather.Paid(ctx, w.db, s.id)
		if err != nil {
			return nil, err
		}
		e.Rows, e.Buckets, e.Paid = append(e.Rows, rows...), append(e.Buckets, buckets...), append(e.Paid, paid...)
	}
	e.Stock = check.Totals(e.Buckets)
	for s, at := range seen.epochs {
		s.AtUS = at
		e.Epochs = append(e.Epochs, s)
	}
	for id, units := range seen.peaks {
		e.Peaks = append(e.Peaks, check.Peak{Sale: id[0], SKU: id[1], Units: units})
	}
	w.mustEnds() // by then every partition has a leader
	if err := w.readAll(w.ordersTopic(), func(r *kgo.Record) {
		if b, is := gather.Batch(string(r.Value)); is && e.Sales[b.Sale].Loaded != nil {
			e.Batches = append(e.Batches, b)
		}
	}); err != nil {
		return nil, err
	}
	return e, w.readAll(w.eventsTopic(), func(r *kgo.Record) { e.Events = append(e.Events, gather.Event(r.Key, r.Value)) })
}
