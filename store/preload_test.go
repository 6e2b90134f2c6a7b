package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func load(t *testing.T, s *Store, id string) []sale.BucketRow {
	t.Helper()
	rows, err := s.LoadStock(t.Context(), id, 8)
	require.NoError(t, err)
	return rows
}

// loaded returns the loaded units of a sale by SKU and bucket.
func loaded(t *testing.T, s *Store, id string) map[string][]int64 {
	t.Helper()
	all, err := s.SaleCounters(t.Context(), id)
	require.NoError(t, err)
	bySKU := map[string][]int64{}
	for _, b := range all {
		for _, shelf := range b.Shelves {
			bySKU[shelf.SKU] = append(bySKU[shelf.SKU], shelf.Loaded)
		}
	}
	return bySKU
}

func TestLoadStockMakesRows(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		put(t, s, inBuckets(4, draft("eleven", 1, item("phone", 11), item("case", 0))))
		rows := load(t, s, "eleven")
		require.Len(t, rows, 4)
		partitions := map[int32]bool{}
		for i, row := range rows {
			require.Equal(t, sale.Bucket{Sale: "eleven", Number: i}, row.Bucket)
			require.Equal(t, sale.BucketClosed, row.State)
			require.Zero(t, row.Epoch)
			require.True(t, row.Partition >= 0 && row.Partition < 8)
			partitions[row.Partition] = true
		}
		require.Greater(t, len(partitions), 1, "buckets are spread")
		require.Equal(t, map[string][]int64{"phone": {3, 3, 3, 2}, "case": {0, 0, 0, 0}}, loaded(t, s, "eleven"))

		require.Equal(t, rows, load(t, s, "eleven"), "again: still unloaded, nothing changed")
		again, err := s.LoadStock(t.Context(), "eleven", 99) // another number of partitions by now
		require.NoError(t, err)
		require.Equal(t, rows, again, "a bucket keeps its partition")
		require.Len(t, reopened(t, s, rows), 4)
		require.Empty(t, load(t, s, "eleven"))
		require.NoError(t, s.ReportLoss(t.Context(), rows[2].Bucket, 1, "gone"))
		require.Equal(t, []sale.BucketRow{countersOf(t, s, rows[2].Bucket).BucketRow}, load(t, s, "eleven"))
	})
}

// Limits, numbers and payment time are copied when the rows are made: a load has them.
func TestLoadHasTheTerms(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		wanted := draft("eleven", 3, item("phone", 10), limited(item("case", 5), 7))
		wanted.SaleLimit = 9
		put(t, s, wanted)
		loads, err := s.BeginLoads(t.Context(), load(t, s, "eleven"))
		require.NoError(t, err)
		require.Equal(t, []sale.ShelfLoad{
			{SKU: "case", Available: 5, Number: 2, Limit: 7}, {SKU: "phone", Available: 10, Number: 1, Limit: 3},
		}, loads[0].Stock)
		require.Equal(t, 9, loads[0].Window.Limit)
	})
}

func TestLoadStockFitsTheSale(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		_, err := s.LoadStock(ctx, "nowhere", 8)
		require.ErrorIs(t, err, sale.ErrNotFound)
		phone(t, s, 10, 1)
		_, err = s.LoadStock(ctx, "eleven", 0)
		require.ErrorContains(t, err, "0 partitions")
		_, err = s.SetState(ctx, "eleven", sale.StateClosed, sale.StateOpen)
		require.NoError(t, err)
		_, err = s.LoadStock(ctx, "eleven", 8)
		var refused *sale.StateError
		require.ErrorAs(t, err, &refused)
	})
}

func TestLoadStockAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		put(t, s, inBuckets(8, draft("eleven", 1, item("phone", 100), item("case", 10))))
		err := together(6, func(int) error {
			_, err := s.LoadStock(t.Context(), "eleven", 8)
			return err
		})
		require.NoError(t, err)
		require.Equal(t, 110, count(t, s, "SELECT SUM(loaded) FROM stock"))
		require.Equal(t, 16, count(t, s, "SELECT COUNT(*) FROM stock"))
		require.Equal(t, 8, count(t, s, "SELECT COUNT(*) FROM buckets"))
	})
}

// The largest sales go through every step of a preload, in statements of many rows. Times are in the verbose output.
func TestTenThousandItems(t *testing.T) {
	for _, buckets := range []int{1, sale.MaxShelves / sale.MaxItems} {
		t.Run(fmt.Sprintf("buckets %d", buckets), func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store) { tenThousandItems(t, s, buckets) })
		})
	}
}

func tenThousandItems(t *testing.T, s *Store, buckets int) {
	items := make([]sale.Item, sale.MaxItems)
	for i := range items {
		items[i] = item(fmt.Sprintf("sku-%d", i), int64(i))
	}
	sent := statements(t, s)
	began := time.Now()
	step := func(name string) { t.Logf("%8v %s", time.Since(began).Round(time.Millisecond), name) }
	put(t, s, inBuckets(buckets, draft("wide", 1, items...)))
	step("put")
	rows := load(t, s, "wide")
	require.Len(t, rows, buckets)
	step("loaded")
	closed, err := s.CloseBuckets(t.Context(), rows)
	require.NoError(t, err)
	step("closed")
	loads, err := s.BeginLoads(t.Context(), closed)
	require.NoError(t, err)
	require.Len(t, loads[0].Stock, len(items))
	step("begun")
	opened, err := s.OpenBuckets(t.Context(), rowsOf(loads))
	require.NoError(t, err)
	require.Len(t, opened, buckets)
	step("opened")
	require.Len(t, changesSince(t, s, 0).Sales[0].Items, len(items))
	step("read by a gateway")
	counters, err := s.SaleCounters(t.Context(), "wide")
	require.NoError(t, err)
	require.Len(t, counters[buckets-1].Shelves, len(items))
	step("counted")
	require.Less(t, statements(t, s)-sent, 300)
}

// A rebuild of a sale of 10,000 SKUs and 100,000 orders, of which a tenth have three lines. Times are in the verbose output.
func TestLoadOfManyOrders(t *testing.T) {
	s := migrated(t, DriverMySQL)
	items := make([]sale.Item, sale.MaxItems)
	for i := range items {
		items[i] = item(fmt.Sprintf("sku-%d", i), 1000)
	}
	rows := selling(t, s, inBuckets(4, draft("wide", 1, items...)))
	const orders = 100_000
	for first := 0; first < orders; first += 2000 {
		var deliveries []sale.Delivery
		for i, row := range rows {
			batched := crowd(500)
			for k := range batched {
				place := first + 500*i + k
				batched[k].Lines = []sale.Line{units(items[place%len(items)].SKU, 1)}
				if place%10 == 0 {
					batched[k].Lines = append(batched[k].Lines, units(items[(place+1)%len(items)].SKU, 1),
						units(items[(place+2)%len(items)].SKU, 1))
				}
			}
			deliveries = append(deliveries, batch(row.Bucket, 1, int64(first+1), batched...))
		}
		settle(t, s, deliveries...)
	}
	for _, some := range [][]sale.BucketRow{rows, rows[:1]} {
		closed, err := s.CloseBuckets(t.Context(), some)
		require.NoError(t, err)
		began := time.Now()
		loads, err := s.BeginLoads(t.Context(), closed)
		require.NoError(t, err)
		took := time.Since(began)
		require.Len(t, loads[0].Owners, orders/len(rows))
		t.Logf("%v for %d of %d buckets", took.Round(time.Millisecond), len(some), len(rows))
		require.Less(t, took, 10*time.Second)
	}
	began := time.Now()
	read, lines := 0, 0
	require.NoError(t, s.EachOrder(t.Context(), "wide", func(o sale.Order) error {
		read, lines = read+1, lines+len(o.Lines)
		return nil
	}))
	t.Logf("%v for reading the orders", time.Since(began).Round(time.Millisecond))
	require.Equal(t, []int{orders, orders + orders/10*2}, []int{read, lines})
}
