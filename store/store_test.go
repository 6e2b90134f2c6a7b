package store

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// onEvery runs one test of the conformance suite on every dialect, each on an empty database of its own.
func onEvery(t *testing.T, test func(t *testing.T, s *Store)) {
	for _, driver := range []string{DriverMySQL, DriverSQLite} {
		t.Run(driver, func(t *testing.T) { test(t, migrated(t, driver)) })
	}
}

func migrated(t testing.TB, driver string) *Store {
	t.Helper()
	s := unmigrated(t, driver)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func unmigrated(t testing.TB, driver string) *Store {
	t.Helper()
	dsn := filepath.Join(t.TempDir(), "shop.db")
	if driver == DriverMySQL {
		dsn = harness.SharedMariaDB(t).DSN(databaseName(t))
	}
	s, err := Open(Options{Driver: driver, DSN: dsn})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

var databases atomic.Int64

// databaseName is new at each call, so that a test may run several times.
func databaseName(t testing.TB) string { return fmt.Sprintf("%s_%d", t.Name(), databases.Add(1)) }

// opening is when every sale of the tests starts and noon the time of its orders.
var (
	opening = sale.TimeMillis(time.Date(2026, 11, 11, 10, 0, 0, 0, time.UTC).UnixMilli())
	closing = sale.TimeMillis(time.Date(2036, 11, 11, 10, 0, 0, 0, time.UTC).UnixMilli())
	noon    = time.Date(2026, 11, 11, 12, 0, 0, 345e6, time.UTC).UnixMilli()
)

func draft(id string, limit int, items ...sale.Item) sale.Sale {
	return sale.Sale{
		ID: id, Name: "Name of " + id, StartsAt: opening, EndsAt: closing, Currency: "CNY", PerBuyerLimit: limit,
		PaymentTTL: 900, Eligibility: sale.EligibilityOpen, Items: items,
	}
}

func item(sku string, stock int64, buckets int) sale.Item {
	return sale.Item{SKU: sku, Stock: stock, PriceCents: 129900, Buckets: buckets}
}

func put(t testing.TB, s database, wanted sale.Sale) sale.Sale {
	t.Helper()
	put, _, err := s.PutSale(t.Context(), wanted)
	require.NoError(t, err)
	return put
}

// selling puts a sale, loads its stock and opens every bucket in epoch 1, as a preload and a rebuild do.
func selling(t testing.TB, s database, wanted sale.Sale) []sale.BucketRow {
	t.Helper()
	put(t, s, wanted)
	rows, err := s.LoadStock(t.Context(), wanted.ID, 8)
	require.NoError(t, err)
	opened := reopened(t, s, rows)
	require.Len(t, opened, len(rows))
	for _, to := range []sale.State{sale.StatePreloaded, sale.StateOpen} {
		_, err = s.SetState(t.Context(), wanted.ID, to, sale.StateDraft, sale.StatePreloaded)
		require.NoError(t, err)
	}
	return opened
}

// reopened runs the database's steps of a rebuild and returns the rows that are open then.
func reopened(t testing.TB, s database, rows []sale.BucketRow) []sale.BucketRow {
	t.Helper()
	closed, err := s.CloseBuckets(t.Context(), rows)
	require.NoError(t, err)
	loads, err := s.BeginLoads(t.Context(), closed)
	require.NoError(t, err)
	opened, err := s.OpenBuckets(t.Context(), rowsOf(loads))
	require.NoError(t, err)
	return opened
}

func rowsOf(loads []sale.Load) []sale.BucketRow {
	rows := make([]sale.BucketRow, len(loads))
	for i := range loads {
		rows[i] = loads[i].BucketRow
	}
	return rows
}

// phone is a sale of one SKU with one open bucket.
func phone(t testing.TB, s *Store, stock int64, limit int) sale.Bucket {
	t.Helper()
	return selling(t, s, draft("eleven", limit, item("phone", stock, 1)))[0].Bucket
}

var lastOrder atomic.Int64

// one is an order of a fresh id.
func one(buyer string, quantity int) sale.RecordOrder {
	return sale.RecordOrder{OrderID: sale.OrderID(1<<40 + lastOrder.Add(1)), Quantity: quantity, Buyer: buyer}
}

// crowd is an order of one unit for each of n fresh buyers.
func crowd(n int) []sale.RecordOrder {
	orders := make([]sale.RecordOrder, n)
	for i := range orders {
		orders[i] = one("", 1)
		orders[i].Buyer = fmt.Sprintf("buyer-%d", orders[i].OrderID)
		orders[i].Key = "key 'of' " + orders[i].Buyer
	}
	return orders
}

func batch(bucket sale.Bucket, epoch, sequence int64, orders ...sale.RecordOrder) sale.Delivery {
	b := &sale.Batch{
		Bucket: bucket, Epoch: epoch, Sequence: sequence, BatchID: orders[0].OrderID, CreatedMS: noon, Orders: orders,
	}
	return sale.Delivery{Raw: sale.AppendBatch(nil, b), Record: sale.Record{Batch: b}}
}

func fence(token string) sale.Delivery {
	return sale.Delivery{Raw: sale.AppendFence(nil, token), Record: sale.Record{Fence: token}}
}

func settle(t testing.TB, s *Store, deliveries ...sale.Delivery) sale.Settlement {
	t.Helper()
	done, err := s.Settle(t.Context(), deliveries)
	require.NoError(t, err)
	return done
}

// countersOf returns the counters of a bucket.
func countersOf(t testing.TB, s *Store, bucket sale.Bucket) sale.BucketCounters {
	t.Helper()
	all, err := s.SaleCounters(t.Context(), bucket.Sale)
	require.NoError(t, err)
	for _, b := range all {
		if b.Bucket == bucket {
			return b
		}
	}
	require.FailNow(t, "no such bucket", bucket.String())
	return sale.BucketCounters{}
}

// order returns an order by id.
func order(t testing.TB, s *Store, id sale.OrderID) sale.Order {
	t.Helper()
	found, err := s.Order(t.Context(), id)
	require.NoError(t, err)
	return found
}

// count runs a query of one number.
func count(t testing.TB, s *Store, query string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, s.db.QueryRowContext(context.Background(), query, args...).Scan(&n))
	return n
}

// ledgerAgrees checks the invariant: the counters match the order rows and are never above loaded.
func ledgerAgrees(t testing.TB, s *Store, bucket sale.Bucket) {
	t.Helper()
	const live = "SELECT COALESCE(SUM(quantity), 0) FROM orders WHERE sale_id = ? AND sku = ? AND bucket = ? AND status IN " +
		"('confirmed', 'paid')"
	b := countersOf(t, s, bucket)
	require.EqualValues(t, b.Settled-b.Released, count(t, s, live, bucket.Sale, bucket.SKU, bucket.Number))
	require.LessOrEqual(t, b.Settled-b.Released, b.Loaded)
}

// statements returns the number of statements that the server has received, 0 if there is no server that counts them.
func statements(t testing.TB, s *Store) int {
	t.Helper()
	if s.dialect.oneWriter {
		return 0
	}
	var n int
	require.NoError(t, s.db.QueryRow("SHOW GLOBAL STATUS LIKE 'Questions'").Scan(new(string), &n))
	return n
}
