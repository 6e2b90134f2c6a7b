package store

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/ledger"
	"flashsale/sale"
)

// change asks for units of a SKU in the sale eleven.
func changeStock(t testing.TB, s *Store, sku, key string, asked int64) sale.StockChange {
	t.Helper()
	got, err := s.ChangeStock(t.Context(), sale.StockChange{Sale: "eleven", SKU: sku, Key: key, Asked: asked})
	require.NoError(t, err)
	return got
}

// applyAll has Redis apply every outbox row: it gives to available what a row gives, and finds of a take what is there.
func applyAll(t testing.TB, s *Store, available map[sale.Shelf]int64) {
	t.Helper()
	for {
		rows, err := s.Outbox(t.Context(), 1000)
		require.NoError(t, err)
		if len(rows) == 0 {
			return
		}
		row := rows[0]
		a := sale.Applied{Bucket: row.Bucket, Epoch: row.Epoch, Number: row.Number, Sequence: 1000 + row.Number}
		for _, line := range row.Lines {
			shelf := sale.Shelf{Bucket: row.Bucket, SKU: line.SKU}
			units := line.Units
			if row.Kind == sale.OutboxTake {
				units = min(units, available[shelf])
				a.Took = append(a.Took, sale.SKUUnits{SKU: line.SKU, Units: units})
				units = -units
			}
			available[shelf] += units
		}
		require.NoError(t, s.OutboxDone(t.Context(), []sale.Applied{a}))
	}
}

// stockOf returns the stock of an item of the sale eleven.
func stockOf(t testing.TB, s *Store, sku string) int64 {
	t.Helper()
	present, err := s.Sale(t.Context(), "eleven")
	require.NoError(t, err)
	item, known := present.Item(sku)
	require.True(t, known, sku)
	return item.Stock
}

func TestRaiseIsLoadedAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(3, draft("eleven", 1, item("phone", 5), item("case", 7))))
		version := changesSince(t, s, 0).Version
		raised := sale.StockChange{
			Sale: "eleven", SKU: "phone", Key: "k", Asked: 4, Added: 4, Loaded: 9, Done: true,
		}
		for range 2 { // the second time changes nothing
			require.Equal(t, raised, changeStock(t, s, "phone", "k", 4))
			require.Equal(t, map[string][]int64{"phone": {3, 3, 3}, "case": {3, 2, 2}}, loaded(t, s, "eleven"))
			require.EqualValues(t, 9, stockOf(t, s, "phone"))
			for i, row := range rows {
				units := []int64{1, 1, 2}[i]
				require.Equal(t, []sale.OutboxRow{{
					Bucket: row.Bucket, Number: 1, Epoch: 1, Kind: sale.OutboxRaise, Change: "k",
					Lines: []sale.OutboxLine{{SKU: "phone", Units: units, Number: 1, Limit: 1}},
				}}, waiting(t, s, row.Bucket))
				b := countersOf(t, s, row.Bucket)
				require.Equal(t, units, b.GivenEpoch)
				require.Equal(t, sale.BucketOpen, b.State, "a raise rebuilds nothing")
			}
		}
		changed := changesSince(t, s, version)
		require.Equal(t, version+1, changed.Version)
		require.EqualValues(t, 9, changed.Sales[0].Items[0].Stock, "gateways see it")
		_, err := s.ChangeStock(t.Context(), sale.StockChange{Sale: "eleven", SKU: "phone", Key: "k", Asked: 5})
		require.ErrorIs(t, err, sale.ErrChangeReused)
		require.EqualValues(t, 8, changeStock(t, s, "case", "k", 1).Loaded, "a key is of one SKU")
		require.Zero(t, settle(t, s, batch(rows[2].Bucket, 1, 1, crowd(3)...)).Refused)
	})
}

// A take falls short where buyers were faster: the next call asks the other buckets, until nothing is left to take.
func TestTakeAsksOn(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(2, draft("eleven", 1, item("phone", 20))))
		available := map[sale.Shelf]int64{}
		for i, row := range rows {
			available[sale.Shelf{Bucket: row.Bucket, SKU: "phone"}] = []int64{2, 10}[i] // 8 are on their way from the first
		}
		got := changeStock(t, s, "phone", "k", -12)
		require.Equal(t, sale.StockChange{Sale: "eleven", SKU: "phone", Key: "k", Asked: -12, Loaded: 20}, got)
		require.Equal(t, got, changeStock(t, s, "phone", "k", -12), "while Redis has not applied it")
		require.EqualValues(t, 20, stockOf(t, s, "phone"))
		applyAll(t, s, available)
		require.EqualValues(t, 12, stockOf(t, s, "phone"), "two and six were found")
		got = changeStock(t, s, "phone", "k", -12)
		require.False(t, got.Done)
		require.EqualValues(t, -8, got.Added)
		settle(t, s, batch(rows[0].Bucket, 1, 1, crowd(8)...)) // what was on its way
		applyAll(t, s, available)
		for !got.Done {
			got = changeStock(t, s, "phone", "k", -12)
			applyAll(t, s, available)
		}
		require.Equal(t, sale.StockChange{
			Sale: "eleven", SKU: "phone", Key: "k", Asked: -12, Added: -12, Loaded: 8, Done: true,
		}, got)
		require.EqualValues(t, 8, stockOf(t, s, "phone"))
		require.Equal(t, map[string][]int64{"phone": {8, 0}}, loaded(t, s, "eleven"))
		for _, row := range rows {
			b := countersOf(t, s, row.Bucket)
			require.Equal(t, sale.BucketOpen, b.State)
			require.Equal(t, b.Loaded-10, b.GivenEpoch)
			ledgerAgrees(t, s, row.Bucket)
		}
		require.Equal(t, got, changeStock(t, s, "phone", "k", -12), "for ever")
	})
}

func TestTakeOfMoreThanThereIs(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		settle(t, s, batch(bucket, 1, 1, crowd(4)...))
		available := map[sale.Shelf]int64{{Bucket: bucket, SKU: "phone"}: 6}
		require.False(t, changeStock(t, s, "phone", "k", -9).Done)
		applyAll(t, s, available)
		got := changeStock(t, s, "phone", "k", -9)
		require.Equal(t, sale.StockChange{
			Sale: "eleven", SKU: "phone", Key: "k", Asked: -9, Added: -6, Loaded: 4, Done: true,
		}, got)
		require.Equal(t, 1, settle(t, s, batch(bucket, 1, 2, crowd(1)...)).Refused)
	})
}

// A rebuild decides the open takes by itself, and a late report about them changes nothing.
func TestRebuildDecidesTakes(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		settle(t, s, batch(bucket, 1, 1, crowd(2)...))
		changeStock(t, s, "phone", "k", -5)
		take := waiting(t, s, bucket)[0]
		settle(t, s, batch(bucket, 1, 2, crowd(5)...)) // three are left
		require.NoError(t, s.ReportLoss(t.Context(), bucket, 1, "gone"))
		loads, err := s.BeginLoads(t.Context(), []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.NoError(t, err)
		require.Zero(t, loads[0].Stock[0].Available)
		require.EqualValues(t, 1, loads[0].Outbox)
		require.Empty(t, waiting(t, s, bucket))
		require.EqualValues(t, 7, stockOf(t, s, "phone"))
		require.NoError(t, s.OutboxDone(t.Context(), []sale.Applied{{
			Bucket: bucket, Epoch: 1, Number: take.Number, Sequence: 9, Took: []sale.SKUUnits{{SKU: "phone", Units: 5}},
		}}))
		require.EqualValues(t, 7, countersOf(t, s, bucket).Loaded)
		require.Zero(t, countersOf(t, s, bucket).GivenEpoch)
		got := changeStock(t, s, "phone", "k", -5)
		require.Equal(t, []any{int64(-3), true}, []any{got.Added, got.Done})
		found, err := s.Sale(t.Context(), "eleven")
		require.NoError(t, err)
		require.Equal(t, sale.WindowOf(&found), loads[0].Window)
	})
}

// A report without what Redis found of a take deletes neither the take nor the rows before it: an outbox applier that stalled
// while another one went on sends such a report.
func TestNoTakeIsDeletedWithoutWhatWasFound(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		changeStock(t, s, "phone", "k1", 2)
		changeStock(t, s, "phone", "k2", -5)
		changeStock(t, s, "phone", "k3", 1)
		for _, number := range []int64{2, 3} {
			stale := sale.Applied{Bucket: bucket, Epoch: 1, Number: number, Sequence: 8}
			require.NoError(t, s.OutboxDone(t.Context(), []sale.Applied{stale}))
			require.Len(t, waiting(t, s, bucket), 3, number)
		}
		found := []sale.SKUUnits{{SKU: "phone", Units: 4}}
		require.NoError(t, s.OutboxDone(t.Context(), []sale.Applied{
			{Bucket: bucket, Epoch: 1, Number: 3, Sequence: 8}, {Bucket: bucket, Epoch: 1, Number: 1, Sequence: 6},
			{Bucket: bucket, Epoch: 1, Number: 2, Sequence: 7, Took: found},
		}), "each page of its own")
		require.Empty(t, waiting(t, s, bucket))
		require.EqualValues(t, 9, countersOf(t, s, bucket).Loaded)
		require.EqualValues(t, 9, stockOf(t, s, "phone"))
		require.Equal(t, sale.BucketOpen, countersOf(t, s, bucket).State)
	})
}

// Redis found units that orders have: the bucket closes and the take stays for the rebuild.
func TestTakeOfSoldUnits(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		changeStock(t, s, "phone", "k", -8)
		settle(t, s, batch(bucket, 1, 1, crowd(5)...))
		applied := sale.Applied{Bucket: bucket, Epoch: 1, Number: 1, Sequence: 9, Took: []sale.SKUUnits{{SKU: "phone", Units: 8}}}
		require.NoError(t, s.OutboxDone(t.Context(), []sale.Applied{applied}))
		require.Equal(t, sale.BucketClosed, countersOf(t, s, bucket).State)
		require.Equal(t, ledger.ClosedByTake, reason(t, s))
		require.Len(t, waiting(t, s, bucket), 1)
		require.Len(t, reopened(t, s, []sale.BucketRow{countersOf(t, s, bucket).BucketRow}), 1)
		require.EqualValues(t, 5, stockOf(t, s, "phone"))
		require.EqualValues(t, -5, changeStock(t, s, "phone", "k", -8).Added)
		ledgerAgrees(t, s, bucket)
	})
}

func TestChangesThatAreRefused(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		put(t, s, draft("eleven", 1, item("phone", 10)))
		ask := func(id, sku string, asked int64) error {
			_, err := s.ChangeStock(t.Context(), sale.StockChange{Sale: id, SKU: sku, Key: strings.Repeat("k", 128),
				Asked: asked})
			return err
		}
		var state *sale.StateError
		require.ErrorAs(t, ask("eleven", "phone", 1), &state)
		require.Equal(t, sale.StateDraft, state.State)
		phone(t, s, 10, 1)
		require.ErrorIs(t, ask("nowhere", "phone", 1), sale.ErrNotFound)
		require.ErrorIs(t, ask("eleven", "case", 1), sale.ErrNotFound)
		var field *sale.FieldError
		for _, asked := range []int64{0, sale.MaxStock - 9, sale.MaxStock + 1, -sale.MaxStock - 1} {
			require.ErrorAs(t, ask("eleven", "phone", asked), &field, asked)
			require.Equal(t, "add", field.Field)
		}
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM stock_changes"), "a refused change leaves its key free")
		require.NoError(t, ask("eleven", "phone", -2))
		_, err := s.SetState(t.Context(), "eleven", sale.StateClosed, sale.StateOpen)
		require.NoError(t, err)
		require.NoError(t, ask("eleven", "phone", -2), "one that was decided is asked for its end")
		_, err = s.ChangeStock(t.Context(), sale.StockChange{Sale: "eleven", SKU: "phone", Key: "new", Asked: 1})
		require.ErrorAs(t, err, &state)
	})
}

// PUT changes stock as a change without a key does, and adds items: every bucket learns a new SKU.
func TestPutRestocks(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		wanted := inBuckets(2, draft("eleven", 2, item("phone", 10), item("case", 10)))
		rows := selling(t, s, wanted)
		wanted.Items = []sale.Item{limited(item("cable", 1), 5), item("case", 4), item("phone", 13)}
		for range 2 { // the second time asks for nothing more
			present := put(t, s, wanted)
			require.Equal(t, []int64{1, 10, 13}, []int64{
				present.Items[0].Stock, present.Items[1].Stock, present.Items[2].Stock,
			})
			require.Equal(t, 3, present.Items[0].Number)
			require.Equal(t, map[string][]int64{"phone": {7, 6}, "case": {5, 5}, "cable": {1, 0}}, loaded(t, s, "eleven"))
			require.Equal(t, []sale.OutboxRow{{Bucket: rows[1].Bucket, Number: 1, Epoch: 1, Kind: sale.OutboxRaise,
				Lines: []sale.OutboxLine{
					{SKU: "cable", Number: 3, Limit: 5}, {SKU: "phone", Units: 1, Number: 1, Limit: 2},
				}}, {Bucket: rows[1].Bucket, Number: 2, Epoch: 1, Kind: sale.OutboxTake,
				Lines: []sale.OutboxLine{{SKU: "case", Units: 3, Number: 2, Limit: 2}}},
			}, waiting(t, s, rows[1].Bucket))
		}
		available := map[sale.Shelf]int64{
			{Bucket: rows[0].Bucket, SKU: "case"}: 5, {Bucket: rows[1].Bucket, SKU: "case"}: 5,
		}
		applyAll(t, s, available)
		require.EqualValues(t, 4, stockOf(t, s, "case"))
		require.Equal(t, map[string][]int64{"phone": {7, 6}, "case": {2, 2}, "cable": {1, 0}}, loaded(t, s, "eleven"))
		require.Zero(t, settle(t, s, batch(rows[0].Bucket, 1, 1, lined("ann", units("cable", 1), units("phone", 2)))).Refused)
		version := changesSince(t, s, 0).Version
		put(t, s, wanted)
		require.Equal(t, version, changesSince(t, s, 0).Version)
		loads, err := s.BeginLoads(t.Context(), closedRows(t, s, rows))
		require.NoError(t, err)
		require.Equal(t, sale.ShelfLoad{SKU: "cable", Available: 0, Number: 3, Limit: 5}, loads[0].Stock[0])
	})
}

func closedRows(t testing.TB, s *Store, rows []sale.BucketRow) []sale.BucketRow {
	t.Helper()
	closed, err := s.CloseBuckets(t.Context(), rows)
	require.NoError(t, err)
	return closed
}

// The same change asked by many at once, beside settlement, rebuilds and other definitions: it happens once.
func TestChangesAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(2, draft("eleven", 1, item("phone", 400))))
		var added atomic.Int64
		require.NoError(t, together(5, func(i int) error {
			for n := range int64(6) {
				key := []string{"a", "b", "c", "d", "e", "f"}[n]
				switch i {
				case 0, 1, 2:
					asked := []int64{40, -30}[n%2]
					got, err := s.ChangeStock(t.Context(), sale.StockChange{Sale: "eleven", SKU: "phone", Key: key, Asked: asked})
					if err != nil {
						return err
					}
					if i == 0 && asked > 0 {
						added.Add(got.Added)
					}
				case 3:
					for _, row := range rows {
						if _, err := s.Settle(t.Context(), []sale.Delivery{batch(row.Bucket, 1, n+1, crowd(5)...)}); err != nil {
							return err
						}
					}
				case 4:
					if err := rebuildOnce(t.Context(), s, rows[0].Bucket); err != nil &&
						!strings.Contains(err.Error(), "loaded") {
						return err
					}
				}
			}
			return nil
		}))
		require.EqualValues(t, 120, added.Load())
		reopened(t, s, closedRows(t, s, []sale.BucketRow{
			countersOf(t, s, rows[0].Bucket).BucketRow, countersOf(t, s, rows[1].Bucket).BucketRow,
		}))
		for _, key := range []string{"b", "d", "f"} {
			got := changeStock(t, s, "phone", key, -30)
			require.Equal(t, []any{int64(-30), true}, []any{got.Added, got.Done})
		}
		require.EqualValues(t, 400+120-90, stockOf(t, s, "phone"))
		require.Equal(t, 430, count(t, s, "SELECT SUM(loaded) FROM stock"))
		for _, row := range rows {
			ledgerAgrees(t, s, row.Bucket)
		}
	})
}
