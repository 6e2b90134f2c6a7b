package store

import (
	"cmp"
	"context"
	"slices"

	"flashsale/ledger"
	"flashsale/sale"
)

const stockColumns = "sale_id, bucket, sku, number, per_buyer_limit, loaded, settled, released, settled_epoch, moved_epoch, " +
	"given_epoch"

const (
	sqlStock  = "SELECT " + stockColumns + " FROM stock"
	inShelves = "(sale_id = ? AND bucket = ? AND sku IN ("
	byShelf   = " ORDER BY sale_id, bucket, sku"
)

// stockRow is a row of the stock table.
type stockRow struct {
	sale.Bucket
	ledger.Units
}

func (r *stockRow) shelf() sale.Shelf { return sale.Shelf{Bucket: r.Bucket, SKU: r.SKU} }

func scanStock(rows scanner) (r stockRow, err error) {
	err = rows.Scan(&r.Sale, &r.Bucket.Number, &r.SKU, &r.Units.Number, &r.Limit, &r.Loaded, &r.Settled, &r.Released,
		&r.SettledEpoch, &r.MovedEpoch, &r.GivenEpoch)
	return r, err
}

// readStock reads the rows of shelves and returns those that exist. The caller has locked the rows of their buckets.
func (s *Store) readStock(ctx context.Context, q querier, shelves []sale.Shelf) (map[sale.Shelf]*ledger.Units, error) {
	found := make(map[sale.Shelf]*ledger.Units, len(shelves))
	err := eachWhere(inShelves, wantedShelves(shelves), func(where string, args []any) error {
		return each(ctx, q, sqlStock+s.dialect.forced+" WHERE "+where, args, func(rows scanner) error {
			row, err := scanStock(rows)
			found[row.shelf()] = &row.Units
			return err
		})
	})
	return found, err
}

// wantedShelves groups shelves by bucket.
func wantedShelves(shelves []sale.Shelf) []rowsWanted {
	ordered := slices.Compact(slices.SortedFunc(slices.Values(shelves), compareShelves))
	var all []rowsWanted
	for i, shelf := range ordered {
		if i == 0 || shelf.Bucket != ordered[i-1].Bucket {
			all = append(all, rowsWanted{key: []any{shelf.Sale, shelf.Number}})
		}
		last := &all[len(all)-1]
		last.values = append(last.values, shelf.SKU)
	}
	return all
}

func compareShelves(a, b sale.Shelf) int {
	return cmp.Or(compareBuckets(a.Bucket, b.Bucket), cmp.Compare(a.SKU, b.SKU))
}

// shelvesIn returns the shelves of some SKUs in every one of these buckets.
func shelvesIn(buckets []sale.Bucket, skus []string) []sale.Shelf {
	shelves := make([]sale.Shelf, 0, len(buckets)*len(skus))
	for _, bucket := range buckets {
		for _, sku := range skus {
			shelves = append(shelves, sale.Shelf{Bucket: bucket, SKU: sku})
		}
	}
	return shelves
}

// stockOf returns all stock rows of buckets, sorted by bucket and SKU.
func (s *Store) stockOf(ctx context.Context, q querier, buckets []sale.Bucket) (map[sale.Bucket][]*ledger.Units, error) {
	found := make(map[sale.Bucket][]*ledger.Units, len(buckets))
	for chunk := range slices.Chunk(sorted(buckets), maxTerms) {
		query := sqlStock + s.dialect.forced + " WHERE " + inKeys(len(chunk)) + byShelf
		err := each(ctx, q, query, keyArgs(nil, chunk), func(rows scanner) error {
			row, err := scanStock(rows)
			found[row.Bucket] = append(found[row.Bucket], &row.Units)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
