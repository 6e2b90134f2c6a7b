package sale

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFinalBooksSumTheBuckets(t *testing.T) {
	shelf := func(sku string, loaded, settled, released int64) ShelfCounters {
		return ShelfCounters{SKU: sku, Loaded: loaded, Settled: settled, Released: released}
	}
	s := &Sale{ID: "s", Items: []Item{{SKU: "b"}, {SKU: "a"}, {SKU: "none"}}}
	require.Equal(t, []FinalBook{
		{SKU: "b", Loaded: 11, Settled: 7, Released: 3, Sold: 4}, {SKU: "a", Loaded: 5, Settled: 2, Sold: 2}, {SKU: "none"},
	}, FinalBooks(s, []StockCounters{
		{Shelves: []ShelfCounters{shelf("a", 5, 2, 0), shelf("b", 6, 4, 1)}},
		{Shelves: []ShelfCounters{shelf("b", 5, 3, 2)}},
	}))
}

func TestMovedCountsWhatWasNotJudged(t *testing.T) {
	books := func() []StockCounters {
		all := make([]StockCounters, 3)
		for i := range all {
			all[i].Bucket = Bucket{Sale: "s", Number: i}
			all[i].State, all[i].Epoch = BucketOpen, 4
			all[i].Shelves = []ShelfCounters{{SKU: "a", Loaded: 9, Settled: 1}}
		}
		return all
	}
	require.Zero(t, Moved(books(), books()))
	now := books()
	now[0].Sequence++
	now[2].Shelves[0].SettledEpoch++
	require.EqualValues(t, 2, Moved(books(), now))
	require.EqualValues(t, 1, Moved(books()[:2], books()), "a bucket that nobody has judged")
	require.EqualValues(t, 1, Moved(books(), books()[:2]))
	require.Zero(t, NotOpen(now))
	now[1].State = BucketLoading
	require.EqualValues(t, 1, NotOpen(now))
}

func TestUnrestNamesEveryConditionThatFails(t *testing.T) {
	require.Empty(t, (&Unrest{}).Conditions())
	all := &UnrestError{Unrest{1, 2, 3, 4, 5, 6, 7, 8, 9}}
	names := map[string]bool{}
	for i, c := range all.Conditions() {
		require.EqualValues(t, i+1, c.Count)
		require.Contains(t, all.Error(), c.text)
		names[c.Name] = true
	}
	require.Len(t, names, 9)
	two := &UnrestError{Unrest{InFlight: 2, Unpaid: 3}}
	require.Equal(t, "2 units are in flight: is flashsale settle running?; "+
		"3 orders are confirmed and not paid: they must be paid, cancelled or expired", two.Error())
}

func TestRecordHeadsAreOfOneSale(t *testing.T) {
	b := &Batch{Bucket: Bucket{Sale: "a"}, Epoch: 1, Sequence: 1, BatchID: 7}
	require.Contains(t, string(AppendBatch(nil, b)), string(RecordHeads("a")[0]))
	b.Sale = "ab"
	require.NotContains(t, string(AppendBatch(nil, b)), string(RecordHeads("a")[0]))
	moved := AppendTransfer(nil, &Transfer{Bucket: Bucket{Sale: "a"}, To: 1, Units: []SKUUnits{{SKU: "x", Units: 1}}})
	require.Contains(t, string(moved), string(RecordHeads("a")[1]))
}
