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

func loaded(t *testing.T, s *Store, id string) map[string][]int64 {
	t.Helper()
	all, err := s.SaleCounters(t.Context(), id)
	require.NoError(t, err)
	bySKU := map[string][]int64{}
	for _, b := range all {
		bySKU[b.SKU] = append(bySKU[b.SKU], b.Loaded)
	}
	return bySKU
}

func TestLoadStockMakesRows(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		put(t, s, draft("eleven", 1, item("phone", 11, 4), item("case", 0, 1)))
		rows := load(t, s, "eleven")
		require.Len(t, rows, 5)
		partitions := map[int32]bool{}
		for _, row := range rows {
			require.Equal(t, sale.BucketClosed, row.State)
			require.Zero(t, row.Epoch)
			require.True(t, row.Partition >= 0 && row.Partition < 8)
			partitions[row.Partition] = true
		}
		require.Greater(t, len(partitions), 1, "buckets are spread")
		require.Equal(t, map[string][]int64{"phone": {3, 3, 3, 2}, "case": {0}}, loaded(t, s, "eleven"))

		require.Equal(t, rows, load(t, s, "eleven"), "again: still unloaded, nothing changed")
		require.Len(t, reopened(t, s, rows), 5)
		require.Empty(t, load(t, s, "eleven"))
	})
}

func TestLoadStockRaises(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		wanted := draft("eleven", 1, item("phone", 5, 3), item("case", 7, 1))
		selling(t, s, wanted)
		wanted.Items[0].Stock = 7
		put(t, s, wanted)
		rows, err := s.LoadStock(ctx, "eleven", 99) // another number of partitions by now
		require.NoError(t, err)
		require.Equal(t, map[string][]int64{"phone": {3, 2, 2}, "case": {7}}, loaded(t, s, "eleven"))
		require.Len(t, rows, 2, "the bucket whose share did not grow stays open")
		for _, row := range rows {
			require.Equal(t, sale.BucketClosed, row.State)
			require.EqualValues(t, 1, row.Epoch)
			require.Less(t, row.Partition, int32(8), "a bucket keeps its partition")
			require.Equal(t, row, countersOf(t, s, row.Bucket).BucketRow)
		}
		require.Len(t, reopened(t, s, rows), 2)
		require.Empty(t, load(t, s, "eleven"))
	})
}

// Units that transfers moved stay in their buckets, and a raise adds exactly the growth of the item.
func TestLoadStockAfterUnitsMoved(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		wanted := draft("eleven", 1, item("phone", 9, 3))
		selling(t, s, wanted)
		_, err := s.db.Exec("UPDATE stock SET loaded = CASE bucket WHEN 0 THEN 8 WHEN 1 THEN 1 ELSE 0 END")
		require.NoError(t, err)
		require.Empty(t, load(t, s, "eleven"))
		wanted.Items[0].Stock = 12
		put(t, s, wanted)
		require.Len(t, load(t, s, "eleven"), 1)
		require.Equal(t, map[string][]int64{"phone": {8, 4, 0}}, loaded(t, s, "eleven"))
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
		put(t, s, draft("eleven", 1, item("phone", 100, 8), item("case", 10, 2)))
		err := together(6, func(int) error {
			_, err := s.LoadStock(t.Context(), "eleven", 8)
			return err
		})
		require.NoError(t, err)
		require.Equal(t, 110, count(t, s, "SELECT SUM(loaded) FROM stock"))
		require.Equal(t, 10, count(t, s, "SELECT COUNT(*) FROM stock"))
	})
}

// The largest sale goes through every step of a preload, in statements of many rows. Times are in the verbose output.
func TestTenThousandItems(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		items := make([]sale.Item, sale.MaxItems)
		for i := range items {
			items[i] = item(fmt.Sprintf("sku-%d", i), int64(i), 1)
		}
		sent := statements(t, s)
		began := time.Now()
		step := func(name string) { t.Logf("%8v %s", time.Since(began).Round(time.Millisecond), name) }
		put(t, s, draft("wide", 1, items...))
		step("put")
		rows := load(t, s, "wide")
		require.Len(t, rows, len(items))
		step("loaded")
		closed, err := s.CloseBuckets(t.Context(), rows)
		require.NoError(t, err)
		require.Len(t, closed, len(items))
		step("closed")
		loads, err := s.BeginLoads(t.Context(), closed)
		require.NoError(t, err)
		step("begun")
		opened, err := s.OpenBuckets(t.Context(), rowsOf(loads))
		require.NoError(t, err)
		require.Len(t, opened, len(items))
		step("opened")
		require.Len(t, changesSince(t, s, 0).Buckets, len(items))
		step("read by a gateway")
		require.Less(t, statements(t, s)-sent, 1000)
	})
}
