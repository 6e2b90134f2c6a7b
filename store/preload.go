package store

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

const (
	sqlInsertBuckets = "INSERT INTO buckets (sale_id, bucket, state, partition_id, currency, payment_ttl_s, sale_limit, " +
		"version) VALUES "
	sqlInsertStock = "INSERT INTO stock (sale_id, bucket, sku, number, per_buyer_limit, loaded) VALUES "
)

// LoadStock creates the bucket and stock rows of a sale at its first preload, and returns the rows of the buckets that are not
// open, which a rebuild must load: new ones are closed, in epoch 0. A second call changes nothing. The partition of a bucket is
// fixed when its row is created. For a closed or archived sale the error is a *sale.StateError.
func (s *Store) LoadStock(ctx context.Context, id string, partitions int32) ([]sale.BucketRow, error) {
	if partitions < 1 {
		return nil, fmt.Errorf("load stock of %s: %d partitions", id, partitions)
	}
	var unloaded []sale.BucketRow
	err := s.transact(ctx, func(tx *sql.Tx) error {
		present, _, err := s.lockSale(ctx, tx, id)
		if err != nil {
			return err
		}
		if present.State == sale.StateClosed || present.State == sale.StateArchived {
			return &sale.StateError{State: present.State, Detail: "a closed sale cannot be preloaded"}
		}
		rows, err := s.lockSaleBuckets(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			rows = newBuckets(&present, partitions)
			err = s.insertBuckets(ctx, tx, &present, rows)
		}
		unloaded = notOpen(rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load stock of %s: %w", id, err)
	}
	faults.Point("store.stock-loaded")
	return unloaded, nil
}

func notOpen(rows []*ledger.Row) (closed []sale.BucketRow) {
	for _, row := range rows {
		if row.State != sale.BucketOpen {
			closed = append(closed, row.BucketRow)
		}
	}
	return closed
}

// newBuckets returns the rows of buckets that were never loaded.
func newBuckets(of *sale.Sale, partitions int32) []*ledger.Row {
	rows := make([]*ledger.Row, of.Buckets)
	for number, bucket := range of.BucketNames() {
		rows[number] = &ledger.Row{Currency: of.Currency, PaymentTTL: of.PaymentTTL, SaleLimit: of.SaleLimit}
		rows[number].BucketRow = sale.BucketRow{
			Bucket: bucket, State: sale.BucketClosed, Partition: partitionOf(bucket, partitions),
		}
	}
	return rows
}

// insertBuckets writes bucket rows and the even shares of every item.
func (s *Store) insertBuckets(ctx context.Context, tx *sql.Tx, of *sale.Sale, rows []*ledger.Row) error {
	shelves := make([]stockRow, 0, len(rows)*len(of.Items))
	for _, row := range rows {
		for i := range of.Items {
			item := &of.Items[i]
			units := sale.BucketStock(item.Stock, row.Number, of.Buckets)
			shelves = append(shelves, newShelf(of, item, row.Bucket, units))
		}
	}
	if err := insertStock(ctx, tx, shelves); err != nil {
		return err
	}
	version, err := nextVersion(ctx, tx)
	if err != nil {
		return err
	}
	return insert(ctx, tx, sqlInsertBuckets, "(?,?,?,?,?,?,?,?)", rows, func(args []any, r *ledger.Row) []any {
		return append(args, r.Sale, r.Number, string(r.State), r.Partition, r.Currency, r.PaymentTTL, r.SaleLimit, version)
	})
}

func newShelf(of *sale.Sale, item *sale.Item, bucket sale.Bucket, units int64) stockRow {
	return stockRow{Bucket: bucket, Units: ledger.Units{
		ShelfCounters: sale.ShelfCounters{SKU: item.SKU, Loaded: units}, Number: item.Number, Limit: of.LimitOf(item),
	}}
}

func insertStock(ctx context.Context, tx *sql.Tx, shelves []stockRow) error {
	return insert(ctx, tx, sqlInsertStock, "(?,?,?,?,?,?)", shelves, func(args []any, r stockRow) []any {
		return append(args, r.Sale, r.Bucket.Number, r.SKU, r.Units.Number, r.Limit, r.Loaded)
	})
}

// partitionOf spreads buckets over the partitions of the orders topic by FNV-1a of the bucket's name.
func partitionOf(bucket sale.Bucket, partitions int32) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(bucket.String())) // hash.Hash documents that Write never fails
	return int32(h.Sum32() % uint32(partitions))
}
