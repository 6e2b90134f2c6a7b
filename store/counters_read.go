package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"flashsale/sale"
)

// One statement reads buckets and their shelves at one moment. It has a row for each bucket and a row for each shelf, because a
// join would repeat the bucket for every SKU, and a row is one text, because database/sql spends its time on columns: a sale of
// 10,000 SKUs is read once a second while somebody watches it. No field contains a space.
const (
	sqlBooks = "SELECT CONCAT_WS(' ', b.sale_id, b.bucket, b.state, b.epoch, b.partition_id, b.sequence, b.outbox_number) " +
		"FROM buckets b WHERE "
	sqlShelves = " UNION ALL SELECT CONCAT_WS(' ', s.sale_id, s.bucket, s.sku, s.loaded, s.settled, s.released, " +
		"s.settled_epoch, s.moved_epoch, s.given_epoch) FROM stock s WHERE "
)

const (
	fieldsOfBooks   = 7
	fieldsOfShelves = 9
)

func saleCounters(ctx context.Context, q querier, saleID string) ([]sale.StockCounters, error) {
	return readCounters(ctx, q, sqlBooks+"b.sale_id = ?"+sqlShelves+"s.sale_id = ?", saleID, saleID)
}

// readCounters returns the buckets of an answer, sorted, each with its shelves, sorted by SKU.
func readCounters(ctx context.Context, q querier, query string, args ...any) ([]sale.StockCounters, error) {
	read := countersReader{shelves: map[sale.Bucket]*[]sale.ShelfCounters{}}
	var text sql.RawBytes
	err := each(ctx, q, query, args, func(rows scanner) error {
		if err := rows.Scan(&text); err != nil {
			return err
		}
		return read.note(text)
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(read.counters, func(a, b sale.StockCounters) int { return compareBuckets(a.Bucket, b.Bucket) })
	for i := range read.counters {
		if of := read.shelves[read.counters[i].Bucket]; of != nil {
			slices.SortFunc(*of, func(a, b sale.ShelfCounters) int { return cmp.Compare(a.SKU, b.SKU) })
			read.counters[i].Shelves = *of
		}
	}
	return read.counters, nil
}

// countersReader files the rows of an answer, which come in any order.
type countersReader struct {
	counters []sale.StockCounters
	shelves  map[sale.Bucket]*[]sale.ShelfCounters

	present sale.Bucket             // of the last shelf
	of      *[]sale.ShelfCounters   // its shelves
	fields  [fieldsOfShelves][]byte // of the present row
}

func (r *countersReader) note(text []byte) error {
	count := 0
	for field := range bytes.SplitSeq(text, []byte{' '}) {
		if count == len(r.fields) {
			return fmt.Errorf("row %q of the books", text)
		}
		r.fields[count] = field
		count++
	}
	if count != fieldsOfBooks && count != fieldsOfShelves {
		return fmt.Errorf("row %q of the books", text)
	}
	number, err := strconv.Atoi(string(r.fields[1]))
	var n [fieldsOfShelves - 3]int64
	for i := range count - 3 {
		if err == nil {
			n[i], err = strconv.ParseInt(string(r.fields[3+i]), 10, 64)
		}
	}
	if err != nil {
		return fmt.Errorf("row %q of the books: %w", text, err)
	}
	if count == fieldsOfBooks {
		c := sale.StockCounters{BucketCounters: sale.BucketCounters{Sequence: n[2], Outbox: n[3]}}
		c.Sale, c.Number, c.State = string(r.fields[0]), number, sale.BucketState(r.fields[2])
		c.Epoch, c.Partition = n[0], int32(n[1])
		r.counters = append(r.counters, c)
		return nil
	}
	of := r.shelvesOf(r.fields[0], number)
	*of = append(*of, sale.ShelfCounters{SKU: string(r.fields[2]), Loaded: n[0], Settled: n[1], Released: n[2],
		SettledEpoch: n[3], MovedEpoch: n[4], GivenEpoch: n[5]})
	return nil
}

// shelvesOf returns the shelves of a bucket, which is mostly that of the row before.
func (r *countersReader) shelvesOf(saleID []byte, number int) *[]sale.ShelfCounters {
	if r.of != nil && r.present.Number == number && r.present.Sale == string(saleID) {
		return r.of
	}
	r.present = sale.Bucket{Sale: string(saleID), Number: number}
	if r.of = r.shelves[r.present]; r.of == nil {
		r.of = new([]sale.ShelfCounters)
		r.shelves[r.present] = r.of
	}
	return r.of
}
