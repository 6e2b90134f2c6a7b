package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"flashsale/ledger"
	"flashsale/sale"
)

// readBooks locks the stock rows of all records and reads what the way of settling needs. A record of a bucket that does
// not exist is a *sale.PoisonError.
func (s *Store) readBooks(ctx context.Context, tx *sql.Tx, work *settling, closely bool) (*ledger.Books, error) {
	stock, nowMS, err := s.lockStock(ctx, tx, ledger.Buckets(work.records))
	if err != nil {
		return nil, err
	}
	for i := range work.records {
		for _, bucket := range ledger.Buckets(work.records[i : i+1]) {
			if stock[bucket] == nil {
				err := fmt.Errorf("bucket %s is not in the stock table", bucket)
				return nil, &sale.PoisonError{Index: work.index[i], Reason: sale.PoisonUnknownBucket, Err: err}
			}
		}
	}
	books := &reading{ledger.NewBooks(stock, nowMS, closely), s.dialect.forced}
	if closely {
		return books.Books, books.readClosely(ctx, tx, work.records)
	}
	return books.Books, books.readSlots(ctx, tx, sqlAllowances, work.batches(), func(row *ledger.Row) bool { return row.Limit > 1 })
}

// reading fills books from the database.
type reading struct {
	*ledger.Books
	forced string // the dialect's
}

func (r *reading) readClosely(ctx context.Context, tx *sql.Tx, records []sale.Record) error {
	if err := r.readMarkers(ctx, tx, placesOf(records)); err != nil {
		return err
	}
	var batches []*sale.Batch
	for i := range records {
		if b := records[i].Batch; b != nil {
			batches = append(batches, b)
		}
	}
	if err := r.readOrders(ctx, tx, batches); err != nil {
		return err
	}
	batches = slices.DeleteFunc(batches, r.SettledBatch)
	if err := r.readSlots(ctx, tx, sqlSlots, batches, func(row *ledger.Row) bool { return row.Limit == 1 }); err != nil {
		return err
	}
	return r.readSlots(ctx, tx, sqlAllowances, batches, func(row *ledger.Row) bool { return row.Limit > 1 })
}

func placesOf(records []sale.Record) []ledger.Place {
	places := make([]ledger.Place, len(records))
	for i := range records {
		if records[i].Batch != nil {
			places[i] = ledger.MarkOfBatch(records[i].Batch).Place
		} else {
			places[i] = ledger.MarkOfTransfer(records[i].Transfer).Place
		}
	}
	return places
}

const (
	sqlMarkers = "SELECT sale_id, sku, bucket, epoch, sequence, batch_id FROM batches"
	sqlForks   = "SELECT sale_id, sku, bucket, epoch, sequence, batch_id FROM forks"
	atPlace    = "(sale_id = ? AND sku = ? AND bucket = ? AND epoch = ? AND sequence = ?)"
)

func (r *reading) readMarkers(ctx context.Context, tx *sql.Tx, places []ledger.Place) error {
	for chunk := range slices.Chunk(places, maxTerms) {
		args := make([]any, 0, 5*len(chunk))
		for _, p := range chunk {
			args = append(args, p.Sale, p.SKU, p.Number, p.Epoch, p.Sequence)
		}
		where := repeated(r.forced+" WHERE ", atPlace, " OR ", len(chunk), "")
		err := eachMark(ctx, tx, sqlMarkers+where, args, func(m ledger.Mark) { r.Markers[m.Place] = m.ID })
		if err != nil {
			return err
		}
		if err := eachMark(ctx, tx, sqlForks+where, args, func(m ledger.Mark) { r.Forks[m] = true }); err != nil {
			return err
		}
	}
	return nil
}

func eachMark(ctx context.Context, tx *sql.Tx, query string, args []any, note func(ledger.Mark)) error {
	return each(ctx, tx, query, args, func(rows scanner) error {
		var m ledger.Mark
		err := rows.Scan(&m.Sale, &m.SKU, &m.Number, &m.Epoch, &m.Sequence, &m.ID)
		note(m)
		return err
	})
}

const sqlPresentOrders = "SELECT order_id FROM orders WHERE order_id IN ("

func (r *reading) readOrders(ctx context.Context, tx *sql.Tx, batches []*sale.Batch) error {
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
			r.Orders[id] = true
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
func (r *reading) readSlots(ctx context.Context, tx *sql.Tx, query string, batches []*sale.Batch, pick func(*ledger.Row) bool) error {
	var where strings.Builder
	var args []any
	terms := 0
	flush := func() error {
		if terms == 0 {
			return nil
		}
		err := each(ctx, tx, query+where.String()+")", args, r.noteSlot)
		where.Reset()
		args, terms = args[:0], 0
		return err
	}
	for _, b := range batches {
		if !pick(r.Stock[b.Bucket]) {
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

func (r *reading) noteSlot(rows scanner) error {
	var o ledger.Owner
	var slot int
	if err := rows.Scan(&o.Sale, &o.SKU, &o.Buyer, &slot); err != nil {
		return err
	}
	r.SlotsOf(o).Set(slot)
	return nil
}
