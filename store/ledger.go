package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"flashsale/sale"
)

// ledger is what a settlement knows of the books when it decides. Its stock rows are locked, and with them everything
// that depends on them: all orders of a buyer and SKU are settled under the lock of the same row.
type ledger struct {
	forced  string // the dialect's
	closely bool   // false: markers, orders and, where the limit is 1, slots were not read and are taken as absent
	stock   map[sale.Bucket]*stockRow
	markers map[place]sale.OrderID
	forks   map[mark]bool
	orders  map[sale.OrderID]bool
	slots   map[owner]*slots
}

// place is where a batch belongs; two batches at one place are a fork.
type place struct {
	sale.Bucket
	epoch, sequence int64
}

// mark is a batch's identity.
type mark struct {
	place
	batch sale.OrderID
}

// owner is a buyer of a SKU.
type owner struct{ sale, sku, buyer string }

func placeOf(b *sale.Batch) place { return place{b.Bucket, b.Epoch, b.Sequence} }

func markOf(b *sale.Batch) mark { return mark{placeOf(b), b.BatchID} }

// readLedger locks the stock rows of all batches and reads what the way of settling needs. A batch of a bucket that does
// not exist is a *sale.PoisonError.
func (s *Store) readLedger(ctx context.Context, tx *sql.Tx, work *settling, closely bool) (*ledger, error) {
	buckets := make([]sale.Bucket, len(work.batches))
	for i := range work.batches {
		buckets[i] = work.batches[i].Bucket
	}
	stock, err := s.lockStock(ctx, tx, buckets)
	if err != nil {
		return nil, err
	}
	for _, batch := range work.batches {
		if stock[batch.Bucket] == nil {
			err := fmt.Errorf("bucket %s is not in the stock table", batch.Bucket)
			return nil, &sale.PoisonError{Index: batch.index, Reason: sale.PoisonUnknownBucket, Err: err}
		}
	}
	l := s.newLedger(stock, closely)
	if closely {
		err = l.readClosely(ctx, tx, work.batches)
	} else {
		err = l.readSlots(ctx, tx, sqlAllowances, work.batches, func(row *stockRow) bool { return row.limit > 1 })
	}
	return l, err
}

func (s *Store) newLedger(stock map[sale.Bucket]*stockRow, closely bool) *ledger {
	return &ledger{forced: s.dialect.forced, closely: closely, stock: stock, slots: map[owner]*slots{}}
}

func (l *ledger) readClosely(ctx context.Context, tx *sql.Tx, batches []delivered) error {
	l.markers, l.forks, l.orders = map[place]sale.OrderID{}, map[mark]bool{}, map[sale.OrderID]bool{}
	if err := l.readMarkers(ctx, tx, batches); err != nil {
		return err
	}
	batches = slices.DeleteFunc(slices.Clone(batches), func(b delivered) bool { return l.settled(b.Batch) })
	if err := l.readOrders(ctx, tx, batches); err != nil {
		return err
	}
	if err := l.readSlots(ctx, tx, sqlSlots, batches, func(row *stockRow) bool { return row.limit == 1 }); err != nil {
		return err
	}
	return l.readSlots(ctx, tx, sqlAllowances, batches, func(row *stockRow) bool { return row.limit > 1 })
}

// settled reports whether this very batch has been settled.
func (l *ledger) settled(b *sale.Batch) bool {
	id, marked := l.markers[placeOf(b)]
	return marked && (id == b.BatchID || l.forks[markOf(b)])
}

// remember notes a batch that is about to be settled and reports whether it is a fork.
func (l *ledger) remember(b *sale.Batch) (fork bool) {
	if l.markers == nil {
		l.markers, l.forks = map[place]sale.OrderID{}, map[mark]bool{}
	}
	if _, fork = l.markers[placeOf(b)]; fork {
		l.forks[markOf(b)] = true
	} else {
		l.markers[placeOf(b)] = b.BatchID
	}
	return fork
}

const (
	sqlMarkers = "SELECT sale_id, sku, bucket, epoch, sequence, batch_id FROM batches"
	sqlForks   = "SELECT sale_id, sku, bucket, epoch, sequence, batch_id FROM forks"
	atPlace    = "(sale_id = ? AND sku = ? AND bucket = ? AND epoch = ? AND sequence = ?)"
)

func (l *ledger) readMarkers(ctx context.Context, tx *sql.Tx, batches []delivered) error {
	for chunk := range slices.Chunk(batches, maxTerms) {
		args := make([]any, 0, 5*len(chunk))
		for _, b := range chunk {
			args = append(args, b.Sale, b.SKU, b.Number, b.Epoch, b.Sequence)
		}
		where := repeated(l.forced+" WHERE ", atPlace, " OR ", len(chunk), "")
		err := eachMark(ctx, tx, sqlMarkers+where, args, func(m mark) { l.markers[m.place] = m.batch })
		if err != nil {
			return err
		}
		if err := eachMark(ctx, tx, sqlForks+where, args, func(m mark) { l.forks[m] = true }); err != nil {
			return err
		}
	}
	return nil
}

func eachMark(ctx context.Context, tx *sql.Tx, query string, args []any, note func(mark)) error {
	return each(ctx, tx, query, args, func(rows scanner) error {
		var m mark
		err := rows.Scan(&m.Sale, &m.SKU, &m.Number, &m.epoch, &m.sequence, &m.batch)
		note(m)
		return err
	})
}

const sqlPresentOrders = "SELECT order_id FROM orders WHERE order_id IN ("

func (l *ledger) readOrders(ctx context.Context, tx *sql.Tx, batches []delivered) error {
	var ids []any
	for _, b := range batches {
		for i := range b.Orders {
			ids = append(ids, int64(b.Orders[i].OrderID))
		}
	}
	for chunk := range slices.Chunk(ids, maxIDs) {
		err := each(ctx, tx, sqlPresentOrders+placeholders(len(chunk))+")", chunk, func(rows scanner) error {
			var id sale.OrderID
			err := rows.Scan(&id)
			l.orders[id] = true
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	sqlSlots      = "SELECT sale_id, sku, buyer_id, slot FROM orders WHERE slot IS NOT NULL AND ("
	sqlAllowances = "SELECT sale_id, sku, buyer_id, slot FROM allowances WHERE ("
)

// readSlots reads the slots that the buyers of these batches have taken, for the buckets that a condition picks.
func (l *ledger) readSlots(ctx context.Context, tx *sql.Tx, query string, batches []delivered, pick func(*stockRow) bool) error {
	var where strings.Builder
	var args []any
	terms := 0
	flush := func() error {
		if terms == 0 {
			return nil
		}
		err := each(ctx, tx, query+where.String()+")", args, l.noteSlot)
		where.Reset()
		args, terms = args[:0], 0
		return err
	}
	for _, b := range batches {
		if !pick(l.stock[b.Bucket]) {
			continue
		}
		if terms == maxTerms || (terms > 0 && len(args)+len(b.Orders) > maxIDs) {
			if err := flush(); err != nil {
				return err
			}
		}
		if terms > 0 {
			where.WriteString(" OR ")
		}
		where.WriteString(repeated("(sale_id = ? AND sku = ? AND buyer_id IN (", "?", ",", len(b.Orders), "))"))
		args = append(args, b.Sale, b.SKU)
		for i := range b.Orders {
			args = append(args, b.Orders[i].Buyer)
		}
		terms++
	}
	return flush()
}

func (l *ledger) noteSlot(rows scanner) error {
	var o owner
	var slot int
	if err := rows.Scan(&o.sale, &o.sku, &o.buyer, &slot); err != nil {
		return err
	}
	l.slotsOf(o).set(slot)
	return nil
}

func (l *ledger) slotsOf(o owner) *slots {
	taken := l.slots[o]
	if taken == nil {
		taken = &slots{}
		l.slots[o] = taken
	}
	return taken
}
