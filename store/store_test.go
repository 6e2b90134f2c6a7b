package store

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
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
		PaymentTTL: 900, Eligibility: sale.EligibilityOpen, Buckets: 1, Items: items,
	}
}

// inBuckets is a sale of so many buckets.
func inBuckets(buckets int, wanted sale.Sale) sale.Sale {
	wanted.Buckets = buckets
	return wanted
}

// price is the unit price of every item of the tests, in cents.
const price = 129900

func item(sku string, stock int64) sale.Item {
	return sale.Item{SKU: sku, Stock: stock, PriceCents: price}
}

// limited is an item with a limit of its own.
func limited(of sale.Item, limit int) sale.Item {
	of.PerBuyerLimit = &limit
	return of
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
	return selling(t, s, draft("eleven", limit, item("phone", stock)))[0].Bucket
}

// wide is a sale of phones, cases and cables with one open bucket and so many units of each.
func wide(t testing.TB, s *Store, stock int64, limit int) sale.Bucket {
	t.Helper()
	return selling(t, s, draft("wide", limit, item("phone", stock), item("case", stock), item("cable", stock)))[0].Bucket
}

var lastOrder atomic.Int64

// units is a line of an order.
func units(sku string, quantity int) sale.Line {
	return sale.Line{SKU: sku, Quantity: quantity, UnitPriceCents: price}
}

// lined is an order of a fresh id.
func lined(buyer string, lines ...sale.Line) sale.RecordOrder {
	return sale.RecordOrder{OrderID: sale.OrderID(1<<40 + lastOrder.Add(1)), Lines: lines, Buyer: buyer}
}

// one is an order of phones.
func one(buyer string, quantity int) sale.RecordOrder { return lined(buyer, units("phone", quantity)) }

// basket is an order of a phone, a case and a cable.
func basket(buyer string) sale.RecordOrder {
	return lined(buyer, units("phone", 1), units("case", 1), units("cable", 1))
}

// inRedis returns orders as Redis knows them: without prices, and with the numbers of their items in the order of skus.
func inRedis(skus []string, orders ...sale.RecordOrder) []sale.RecordOrder {
	known := slices.Clone(orders)
	for i := range known {
		known[i].Lines = slices.Clone(known[i].Lines)
		for k := range known[i].Lines {
			line := &known[i].Lines[k]
			line.UnitPriceCents, line.Number = 0, slices.Index(skus, line.SKU)+1
		}
	}
	return known
}

// given returns orders as an outbox row has them.
func given(orders ...sale.RecordOrder) []sale.ReleasedOrder {
	released := make([]sale.ReleasedOrder, len(orders))
	for i, o := range orders {
		released[i] = sale.ReleasedOrder{OrderID: o.OrderID, Buyer: o.Buyer, Lines: o.Lines}
	}
	return released
}

// unitsGiven returns the units that an outbox row gives.
func unitsGiven(row sale.OutboxRow) (units int64) {
	for _, line := range row.Lines {
		units += line.Units
	}
	for _, o := range row.Orders {
		units += int64(sale.UnitsOf(o.Lines))
	}
	return units
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

// books is the counters of a bucket and of one of its SKUs.
type books struct {
	sale.BucketCounters
	sale.ShelfCounters
}

// countersOf returns the counters of a bucket and of its phones.
func countersOf(t testing.TB, s *Store, bucket sale.Bucket) books {
	return booksOf(t, s, bucket, "phone")
}

func booksOf(t testing.TB, s *Store, bucket sale.Bucket, sku string) books {
	t.Helper()
	all, err := s.StockCounters(t.Context(), []sale.Bucket{bucket}, []string{sku})
	require.NoError(t, err)
	return books{all[0].BucketCounters, all[0].Shelves[0]}
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

// ledgerAgrees checks the invariant of every SKU: the counters match the order rows and are never above loaded.
func ledgerAgrees(t testing.TB, s *Store, bucket sale.Bucket) {
	t.Helper()
	const live = "SELECT COALESCE(SUM(COALESCE(l.quantity, o.quantity)), 0) FROM orders o LEFT JOIN order_lines l " +
		"ON l.order_id = o.order_id WHERE o.sale_id = ? AND COALESCE(l.sku, o.sku) = ? AND o.bucket = ? " +
		"AND o.status IN ('confirmed', 'paid')"
	all, err := s.StockCounters(t.Context(), []sale.Bucket{bucket}, nil)
	require.NoError(t, err)
	for _, shelf := range all[0].Shelves {
		sold := count(t, s, live, bucket.Sale, shelf.SKU, bucket.Number)
		require.EqualValues(t, shelf.Settled-shelf.Released, sold, "%s in %s", shelf.SKU, bucket)
		require.LessOrEqual(t, shelf.Settled-shelf.Released, shelf.Loaded, "%s in %s", shelf.SKU, bucket)
	}
}

// statements returns the number of statements that the server has received, 0 if there is no server that counts them: TiDB does
// not.
func statements(t testing.TB, s *Store) int {
	t.Helper()
	if s.dialect.oneWriter {
		return 0
	}
	var n int
	if err := s.db.QueryRow("SHOW GLOBAL STATUS LIKE 'Questions'").Scan(new(string), &n); !isNoRows(err) {
		require.NoError(t, err)
	}
	return n
}
