package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/ledger"
	"flashsale/sale"
)

// BenchmarkSettle settles transactions of 1000 orders in 4 batches. Beside each it writes 1000 such rows with only a prepared
// multi-row INSERT, in a transaction on the same server: settling adds marker, lock, guard, decision and event.
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
		raw := rawStatements(bucket, pressed(rows))
		began := time.Now()
		settle(b, s, deliveries...)
		settling += time.Since(began)
		began = time.Now()
		insertRaw(b, s, raw)
		inserting += time.Since(began)
	}
	written := float64(rows * b.N)
	b.ReportMetric(written/settling.Seconds(), "settled/s")
	b.ReportMetric(written/inserting.Seconds(), "inserted/s")
	b.ReportMetric(inserting.Seconds()/settling.Seconds(), "ratio")
}

// pressed returns orders of a crowd with idempotency keys in the recommended form.
func pressed(n int) []sale.RecordOrder {
	orders := crowd(n)
	for i := range orders {
		orders[i].Key = fmt.Sprintf("0191f2a4-7c3e-7d90-b1aa-%012d", orders[i].OrderID)
	}
	return orders
}

// rawStatements writes the same rows out as INSERT statements.
func rawStatements(bucket sale.Bucket, orders []sale.RecordOrder) []string {
	terms := &ledger.Terms{Bucket: bucket, PriceCents: 129900, Currency: "CNY", CreatedMS: noon, UpdatedMS: noon, PayByMS: noon}
	rows := make([]ledger.Order, len(orders))
	for i := range orders {
		rows[i] = ledger.Order{RecordOrder: &orders[i], Terms: terms}
	}
	var statements []string
	for chunk := range slices.Chunk(rows, maxRows) {
		statements = append(statements, ordersStatement(sale.StatusConfirmed, chunk))
	}
	return statements
}

func insertRaw(b *testing.B, s *Store, statements []string) {
	b.Helper()
	tx, err := s.db.BeginTx(b.Context(), nil)
	require.NoError(b, err)
	for _, statement := range statements {
		_, err := tx.ExecContext(b.Context(), statement)
		require.NoError(b, err)
	}
	require.NoError(b, tx.Commit())
}
