package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

// readState locks the bucket rows of all records and reads the state, closely or not. For a record of a bucket or an SKU that
// does not exist the error is a *sale.PoisonError.
func (s *Store) readState(ctx context.Context, tx *sql.Tx, work *settling, closely bool, noted *notes) (*ledger.State, error) {
	rows, nowMS, err := s.lockBuckets(ctx, tx, ledger.Buckets(work.records))
	if err != nil {
		return nil, err
	}
	stock, err := s.readStock(ctx, tx, ledger.Shelves(work.records))
	if err != nil {
		return nil, fmt.Errorf("read stock rows: %w", err)
	}
	read := &reading{ledger.NewState(rows, stock, nowMS, closely), s.dialect}
	for i := range work.records {
		if err := read.unknown(&work.records[i]); err != nil {
			return nil, &sale.PoisonError{Index: work.index[i], Reason: sale.PoisonUnknownBucket, Err: err}
		}
	}
	batches := work.batches()
	if err := read.readThaws(ctx, tx, batches); err != nil {
		return nil, err
	}
	if closely {
		if err := read.readClosely(ctx, tx, work.records, batches); err != nil {
			return nil, err
		}
	}
	owners, err := s.possibleOwners(ctx, tx, rows, batches, noted)
	if err != nil {
		return nil, err
	}
	return read.State, read.readBought(ctx, tx, owners)
}

// reading fills a state from the database.
type reading struct {
	*ledger.State
	dialect *dialect
}

// unknown returns an error that names a bucket or an SKU of a record which the database does not have.
func (r *reading) unknown(record *sale.Record) error {
	if t := record.Transfer; t != nil {
		for _, u := range t.Units {
			for _, bucket := range []sale.Bucket{t.Bucket, t.Receiver()} {
				if err := r.unknownShelf(sale.Shelf{Bucket: bucket, SKU: u.SKU}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var known sale.Shelf // most orders of a batch are of the SKU of the order before
	for i := range record.Batch.Orders {
		for _, line := range record.Batch.Orders[i].Lines {
			shelf := sale.Shelf{Bucket: record.Batch.Bucket, SKU: line.SKU}
			if shelf == known {
				continue
			}
			if err := r.unknownShelf(shelf); err != nil {
				return err
			}
			known = shelf
		}
	}
	return nil
}

func (r *reading) unknownShelf(shelf sale.Shelf) error {
	switch {
	case r.Buckets[shelf.Bucket] == nil:
		return fmt.Errorf("bucket %s is not in the database", shelf.Bucket)
	case r.Stock[shelf] == nil:
		return fmt.Errorf("bucket %s has no SKU %s", shelf.Bucket, shelf.SKU)
	}
	return nil
}

func (r *reading) readClosely(ctx context.Context, tx *sql.Tx, records []sale.Record, batches []*sale.Batch) error {
	if err := r.readMarkers(ctx, tx, writesOf(records)); err != nil {
		return err
	}
	return r.readOrders(ctx, tx, batches)
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
	sqlMarkers = "SELECT sale_id, bucket, epoch, sequence, batch_id FROM batches"
	sqlForks   = "SELECT sale_id, bucket, epoch, sequence, batch_id FROM forks"
	ofWrite    = "(sale_id = ? AND bucket = ? AND epoch = ? AND sequence = ?)"
)

func (r *reading) readMarkers(ctx context.Context, tx *sql.Tx, writes []ledger.WriteID) error {
	for chunk := range slices.Chunk(writes, maxTerms) {
		args := make([]any, 0, 4*len(chunk))
		for _, p := range chunk {
			args = append(args, p.Sale, p.Number, p.Epoch, p.Sequence)
		}
		where := repeated(r.dialect.forced+" WHERE ", ofWrite, " OR ", len(chunk), "")
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
		err := rows.Scan(&m.Sale, &m.Number, &m.Epoch, &m.Sequence, &m.ID)
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

// The index of the buyers is forced, because a server whose statistics are of an empty table reads the whole table otherwise.
const (
	sqlBought = "SELECT o.sale_id, o.buyer_id, o.idempotency_key, o.status IN ('confirmed', 'paid'), " + joinedSKU + ", " +
		joinedQuantity + " FROM orders o%s" + joinLines + " WHERE "
	ofBuyers = "(o.sale_id = ? AND o.buyer_id IN ("
)

// readBought reads what owners have bought, a few hundred at a time.
func (r *reading) readBought(ctx context.Context, tx *sql.Tx, owners []ledger.Owner) error {
	query := fmt.Sprintf(sqlBought, r.dialect.byBuyer)
	err := eachWhere(ofBuyers, wantedOwners(owners), func(where string, args []any) error {
		return each(ctx, tx, query+where+" AND o.status <> 'refused'", args, r.noteBought)
	})
	if err != nil {
		return fmt.Errorf("read the orders of %d buyers: %w", len(owners), err)
	}
	return nil
}

// wantedOwners groups sorted owners by sale.
func wantedOwners(owners []ledger.Owner) []rowsWanted {
	var all []rowsWanted
	for i, o := range owners {
		if i == 0 || o.Sale != owners[i-1].Sale {
			all = append(all, rowsWanted{key: []any{o.Sale}})
		}
		last := &all[len(all)-1]
		last.values = append(last.values, o.Buyer)
	}
	return all
}

func (r *reading) noteBought(rows scanner) error {
	var o ledger.Owner
	var key, sku string
	var counts bool
	var quantity int
	if err := rows.Scan(&o.Sale, &o.Buyer, &key, &counts, &sku, &quantity); err != nil {
		return err
	}
	bought := r.BoughtBy(o)
	if key != "" {
		bought.Keys[key] = true
	}
	if counts {
		bought.Units[sku] += quantity
	}
	return nil
}
