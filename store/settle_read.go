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

// readState locks the stock rows of all records and reads the state, closely or not. For a record of a bucket that does not
// exist the error is a *sale.PoisonError.
func (s *Store) readState(ctx context.Context, tx *sql.Tx, work *settling, closely bool) (*ledger.State, error) {
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
	read := &reading{ledger.NewState(stock, nowMS, closely), s.dialect.forced}
	if closely {
		return read.State, read.readClosely(ctx, tx, work.records)
	}
	return read.State, read.readBought(ctx, tx, work.batches())
}

// reading fills a state from the database.
type reading struct {
	*ledger.State
	forced string // the dialect's
}

func (r *reading) readClosely(ctx context.Context, tx *sql.Tx, records []sale.Record) error {
	if err := r.readMarkers(ctx, tx, writesOf(records)); err != nil {
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
	return r.readBought(ctx, tx, batches)
}

// readBought reads the slots and keys of the buyers of these batches.
func (r *reading) readBought(ctx context.Context, tx *sql.Tx, batches []*sale.Batch) error {
	if err := r.readSlots(ctx, tx, batches); err != nil {
		return err
	}
	return r.readKeys(ctx, tx, batches)
}

func writesOf(records []sale.Record) []ledger.WriteID {
	writes := make([]ledger.WriteID, len(records))
	for i := range records {
		if records[i].Batch != nil {
			writes[i] = ledger.MarkOfBatch(records[i].Batch).WriteID
		} else {
			writes[i] = ledger.MarkOfTransfer(records[i].Transfer).WriteID
		}
	}
	return writes
}

const (
	sqlMarkers = "SELECT sale_id, sku, bucket, epoch, sequence, batch_id FROM batches"
	sqlForks   = "SELECT sale_id, sku, bucket, epoch, sequence, batch_id FROM forks"
	ofWrite    = "(sale_id = ? AND sku = ? AND bucket = ? AND epoch = ? AND sequence = ?)"
)

func (r *reading) readMarkers(ctx context.Context, tx *sql.Tx, writes []ledger.WriteID) error {
	for chunk := range slices.Chunk(writes, maxTerms) {
		args := make([]any, 0, 5*len(chunk))
		for _, p := range chunk {
			args = append(args, p.Sale, p.SKU, p.Number, p.Epoch, p.Sequence)
		}
		where := repeated(r.forced+" WHERE ", ofWrite, " OR ", len(chunk), "")
		err := eachMark(ctx, tx, sqlMarkers+where, args, func(m ledger.Mark) { r.Markers[m.WriteID] = m.ID })
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
	sqlKeys       = "SELECT sale_id, sku, buyer_id, idempotency_key FROM orders WHERE idempotency_key <> '' AND " +
		"status <> 'refused' AND ("
	ofBuyers = "(sale_id = ? AND sku = ? AND buyer_id IN ("
)

// readSlots reads the slots that the buyers of these batches have taken.
func (r *reading) readSlots(ctx context.Context, tx *sql.Tx, batches []*sale.Batch) error {
	if r.Closely {
		ofOne := func(row *ledger.Row, _ *sale.RecordOrder) bool { return row.Limit == 1 }
		if err := r.readBuyers(ctx, tx, sqlSlots, batches, ofOne, r.noteSlot); err != nil {
			return err
		}
	}
	ofMany := func(row *ledger.Row, _ *sale.RecordOrder) bool { return row.Limit > 1 }
	return r.readBuyers(ctx, tx, sqlAllowances, batches, ofMany, r.noteSlot)
}

// readKeys reads the idempotency keys of the orders of these batches' buyers, after readSlots. It asks for few or none while
// no units were given back and few buyers buy again.
func (r *reading) readKeys(ctx context.Context, tx *sql.Tx, batches []*sale.Batch) error {
	needed := func(row *ledger.Row, o *sale.RecordOrder) bool {
		return o.Key != "" && r.MayHaveOrders(row, ledger.Owner{Sale: row.Sale, SKU: row.SKU, Buyer: o.Buyer})
	}
	return r.readBuyers(ctx, tx, sqlKeys, batches, needed, func(rows scanner) error {
		var k ledger.Key
		err := rows.Scan(&k.Sale, &k.SKU, &k.Buyer, &k.Key)
		r.Keys[k] = true
		return err
	})
}

// readBuyers runs a query about the buyers of the orders that pick accepts, a few hundred at a time.
func (r *reading) readBuyers(ctx context.Context, tx *sql.Tx, query string, batches []*sale.Batch,
	pick func(*ledger.Row, *sale.RecordOrder) bool, note func(scanner) error,
) error {
	var where strings.Builder
	var args []any
	terms := 0
	flush := func() error {
		if terms == 0 {
			return nil
		}
		err := each(ctx, tx, query+where.String()+")", args, note)
		where.Reset()
		args, terms = args[:0], 0
		return err
	}
	for _, b := range batches {
		row := r.Stock[b.Bucket]
		buyers := make([]any, 0, len(b.Orders))
		for i := range b.Orders {
			if pick(row, &b.Orders[i]) {
				buyers = append(buyers, b.Orders[i].Buyer)
			}
		}
		if len(buyers) == 0 {
			continue
		}
		if terms == maxTerms || (terms > 0 && len(args)+len(buyers) > maxIDs) {
			if err := flush(); err != nil {
				return err
			}
		}
		if terms > 0 {
			where.WriteString(" OR ")
		}
		where.WriteString(repeated(ofBuyers, "?", ",", len(buyers), "))"))
		args = append(append(args, b.Sale, b.SKU), buyers...)
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
