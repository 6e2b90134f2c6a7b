package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// BenchmarkSettle settles transactions of 1000 orders in 4 batches, and next to each writes 1000 such rows with nothing
// but a multi-row INSERT in a transaction, on the same server: what settling adds is marker, lock, guard and decision.
// It reports rows a second of both and their ratio. With a limit above 1 settling also reads and writes a row per unit in
// the allowances table, which the plain INSERT does not.
func BenchmarkSettle(b *testing.B) {
	for _, limit := range []int{1, 3} {
		for _, driver := range []string{DriverMySQL, DriverSQLite} {
			b.Run(fmt.Sprintf("%s/limit=%d", driver, limit), func(b *testing.B) {
				benchmarkSettle(b, migrated(b, driver), limit)
			})
		}
	}
}

func benchmarkSettle(b *testing.B, s *Store, limit int) {
	const rows, batches = 1000, 4
	bucket := phone(b, s, sale.MaxStock, limit)
	var settling, inserting time.Duration
	sequence := int64(0)
	for b.Loop() {
		var deliveries []sale.Delivery
		for range batches {
			sequence++
			deliveries = append(deliveries, batch(bucket, 1, sequence, pressed(rows/batches)...))
		}
		raw := pressed(rows)
		began := time.Now()
		settle(b, s, deliveries...)
		settling += time.Since(began)
		began = time.Now()
		insertRaw(b, s, bucket, raw)
		inserting += time.Since(began)
	}
	written := float64(rows * b.N)
	b.ReportMetric(written/settling.Seconds(), "settled/s")
	b.ReportMetric(written/inserting.Seconds(), "inserted/s")
	b.ReportMetric(inserting.Seconds()/settling.Seconds(), "ratio")
}

// pressed is a crowd whose buyers sent keys, as shops are told to.
func pressed(n int) []sale.RecordOrder {
	orders := crowd(n)
	for i := range orders {
		orders[i].Key = fmt.Sprintf("0191f2a4-7c3e-7d90-b1aa-%012d", orders[i].OrderID)
	}
	return orders
}

func insertRaw(b *testing.B, s *Store, bucket sale.Bucket, orders []sale.RecordOrder) {
	b.Helper()
	tx, err := s.db.BeginTx(b.Context(), nil)
	require.NoError(b, err)
	at := datetime(noon)
	var shared any = at
	var saleID, sku, currency, price, number any = bucket.Sale, bucket.SKU, "CNY", int64(129900), int64(bucket.Number)
	for chunk := range slices.Chunk(orders, maxRows) {
		args := make([]any, 0, 14*len(chunk))
		for _, o := range chunk {
			args = append(args, int64(o.OrderID), saleID, sku, o.Buyer, int64(o.Quantity), price, currency, shared, shared,
				shared, shared, number, o.Key, 0)
		}
		_, err := tx.ExecContext(b.Context(), repeated(sqlInsertOrders, confirmedRow, ",", len(chunk), ""), args...)
		require.NoError(b, err)
	}
	require.NoError(b, tx.Commit())
}
