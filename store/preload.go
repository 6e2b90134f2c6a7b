package store

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"slices"

	"flashsale/faults"
	"flashsale/ledger"
	"flashsale/sale"
)

const sqlInsertStock = "INSERT INTO stock (sale_id, sku, bucket, loaded, state, partition_id, unit_price_cents, currency, " +
	"per_buyer_limit, payment_ttl_s, version) VALUES "

const sqlGrowStock = "UPDATE stock SET loaded = loaded + ?, state = ?, closed_reason = 'stock was raised', version = ? " +
	"WHERE sale_id = ? AND sku = ? AND bucket = ?"

// LoadStock creates and raises the stock rows of a sale by its items, and returns the rows that a rebuild must load: those it
// created (closed, epoch 0), those whose loaded units it raised (now closed), and those that were not open before. A second
// call changes nothing. The partition of a bucket is fixed when its row is created. For a closed sale the error is a
// *sale.StateError.
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
		if present.State == sale.StateClosed {
			return &sale.StateError{State: present.State, Detail: "a closed sale cannot be preloaded"}
		}
		rows, err := readStock(ctx, tx, s.selectStock()+whereSale+s.dialect.lock, id)
		if err != nil {
			return err
		}
		growth := planStock(&present, rows, partitions)
		if err := growth.write(ctx, tx); err != nil {
			return err
		}
		unloaded = growth.unloaded
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load stock of %s: %w", id, err)
	}
	faults.Point("store.stock-loaded")
	return unloaded, nil
}

// stockGrowth is what a preload does to the stock rows.
type stockGrowth struct {
	terms    *sale.Sale
	prices   map[string]int64
	made     []*ledger.Row
	raised   []*ledger.Row // rows to raise, by the units with the same index in raise
	raise    []int64
	unloaded []sale.BucketRow
}

// planStock compares items and rows. It raises a row towards its even share, and all rows of a SKU together by exactly the
// growth of the item. Units that transfers have moved stay in their buckets.
func planStock(present *sale.Sale, rows []*ledger.Row, partitions int32) *stockGrowth {
	g := &stockGrowth{terms: present, prices: make(map[string]int64, len(present.Items))}
	byBucket := make(map[sale.Bucket]*ledger.Row, len(rows))
	missing := make(map[string]int64, len(present.Items)) // units of the item that no row has loaded
	for _, row := range rows {
		byBucket[row.Bucket] = row
		missing[row.SKU] -= row.Loaded
	}
	for _, item := range present.Items {
		g.prices[item.SKU] = item.PriceCents
		left := item.Stock + missing[item.SKU]
		for number := range item.Buckets {
			bucket := sale.Bucket{Sale: present.ID, SKU: item.SKU, Number: number}
			left -= g.planBucket(byBucket[bucket], bucket, partitions, sale.BucketStock(item.Stock, number, item.Buckets), left)
		}
	}
	return g
}

// planBucket plans one bucket and returns the units it adds: at most left, and not above the bucket's share.
func (g *stockGrowth) planBucket(row *ledger.Row, bucket sale.Bucket, partitions int32, share, left int64) int64 {
	if row == nil {
		row = &ledger.Row{BucketCounters: sale.BucketCounters{
			BucketRow: sale.BucketRow{Bucket: bucket, State: sale.BucketClosed, Partition: partitionOf(bucket, partitions)},
			Loaded:    min(share, left),
		}}
		g.made = append(g.made, row)
		g.unloaded = append(g.unloaded, row.BucketRow)
		return row.Loaded
	}
	units := min(share-row.Loaded, left)
	if units > 0 {
		row.State = sale.BucketClosed
		g.raised, g.raise = append(g.raised, row), append(g.raise, units)
	}
	if row.State != sale.BucketOpen {
		g.unloaded = append(g.unloaded, row.BucketRow)
	}
	return max(units, 0)
}

func (g *stockGrowth) write(ctx context.Context, tx *sql.Tx) error {
	if len(g.made)+len(g.raised) == 0 {
		return nil
	}
	version, err := nextVersion(ctx, tx)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(g.made, maxRows) {
		args := make([]any, 0, 11*len(chunk))
		for _, r := range chunk {
			args = append(args, r.Sale, r.SKU, r.Number, r.Loaded, r.State, r.Partition, g.prices[r.SKU], g.terms.Currency,
				g.terms.PerBuyerLimit, g.terms.PaymentTTL, version)
		}
		statement := repeated(sqlInsertStock, "(?,?,?,?,?,?,?,?,?,?,?)", ",", len(chunk), "")
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return err
		}
	}
	for i, r := range g.raised {
		_, err := tx.ExecContext(ctx, sqlGrowStock, g.raise[i], sale.BucketClosed, version, r.Sale, r.SKU, r.Number)
		if err != nil {
			return err
		}
	}
	return nil
}

// partitionOf spreads buckets over the partitions of the orders topic by FNV-1a of the bucket's name.
func partitionOf(bucket sale.Bucket, partitions int32) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(bucket.String())) // hash.Hash documents that Write never fails
	return int32(h.Sum32() % uint32(partitions))
}
