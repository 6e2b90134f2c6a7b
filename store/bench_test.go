package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/ledger"
	"flashsale/sale"
)

// rush is what a benchmark settles.
type rush struct {
	name  string
	limit int // units per buyer
	skus  int
	lines int // of each order
}

var rushes = []rush{
	{"limit=1", 1, 1, 1}, {"limit=3", 3, 1, 1}, {"skus=100", 1, 100, 1}, {"lines=3", 1, 3, 3}, {"skus=100,lines=3", 1, 100, 3},
}

// BenchmarkSettle settles transactions of 1000 orders in 4 batches. Beside each it writes 1000 such order rows with only
// multi-row INSERTs, in a transaction on the same server: settling adds markers, locks, guards, the orders of the buyers,
// decisions, events, and the lines of orders that have several. It reports rows a second of both and their ratio.
func BenchmarkSettle(b *testing.B) {
	for _, r := range rushes {
		for _, driver := range []string{DriverMySQL, DriverSQLite} {
			b.Run(driver+"/"+r.name, func(b *testing.B) { benchmarkSettle(b, migrated(b, driver), r) })
		}
	}
}

func benchmarkSettle(b *testing.B, s *Store, r rush) {
	const rows, batches = 1000, 4
	items := make([]sale.Item, r.skus)
	for i := range items {
		items[i] = item(fmt.Sprintf("sku-%d", i), sale.MaxStock)
	}
	bucket := selling(b, s, draft("eleven", r.limit, items...))[0].Bucket
	var settling, inserting time.Duration
	sequence := int64(0)
	for b.Loop() {
		var deliveries []sale.Delivery
		for range batches {
			sequence++
			deliveries = append(deliveries, batch(bucket, 1, sequence, r.orders(rows/batches)...))
		}
		raw := rawStatements(bucket, r.orders(rows))
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

// orders returns orders of a crowd over the SKUs.
func (r *rush) orders(n int) []sale.RecordOrder {
	orders := pressed(n)
	for i := range orders {
		orders[i].Lines = nil
		for k := range r.lines {
			sku := fmt.Sprintf("sku-%d", (i*7919/(1+k)+k)%r.skus)
			for slices.ContainsFunc(orders[i].Lines, func(l sale.Line) bool { return l.SKU == sku }) {
				sku = fmt.Sprintf("sku-%d", rand.IntN(r.skus))
			}
			orders[i].Lines = append(orders[i].Lines, units(sku, 1))
		}
	}
	return orders
}

// pressed returns orders of a crowd with idempotency keys in the recommended form.
func pressed(n int) []sale.RecordOrder {
	orders := crowd(n)
	for i := range orders {
		orders[i].Key = fmt.Sprintf("0191f2a4-7c3e-7d90-b1aa-%012d", orders[i].OrderID)
	}
	return orders
}

// rawStatements writes the same order rows out as INSERT statements.
func rawStatements(bucket sale.Bucket, orders []sale.RecordOrder) []string {
	terms := &ledger.Terms{Bucket: bucket, Currency: "CNY", CreatedMS: noon, UpdatedMS: noon, PayByMS: noon}
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

// BenchmarkFeed reads all of 100,000 orders, in pages as the CSV stream does.
func BenchmarkFeed(b *testing.B) {
	const rows, page = 100_000, 5000
	for _, driver := range []string{DriverMySQL, DriverSQLite} {
		b.Run(driver, func(b *testing.B) {
			s := migrated(b, driver)
			for chunk := range slices.Chunk(pressed(rows), maxRows) {
				insertRaw(b, s, rawStatements(sale.Bucket{Sale: "eleven"}, chunk))
			}
			read := 0
			for b.Loop() {
				q := sale.OrderQuery{Limit: page}
				for more := true; more; more = q.After != nil {
					found, err := s.OrderFeed(b.Context(), &q)
					require.NoError(b, err)
					read, q.After = read+len(found.Orders), found.Next
				}
			}
			require.Equal(b, rows*b.N, read)
			b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
