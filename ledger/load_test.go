package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestBegin(t *testing.T) {
	state := shelve(stateOf(true, 1, 10), "case", 2, 5, 4)
	row, phone, cover := state.Buckets[bucketNo(0)], state.Stock[phones(0)], state.Stock[shelfNo(0, "case")]
	require.False(t, row.MayBegin(1), "an open bucket begins nothing")
	row.State = sale.BucketClosed
	require.True(t, row.MayBegin(1))
	require.False(t, row.MayBegin(2))
	row.Sequence, row.Outbox = 9, 4
	phone.Settled, phone.Released, phone.SettledEpoch, phone.MovedEpoch, phone.GivenEpoch = 7, 2, 5, 1, 2
	load, taken := row.Begin([]*Units{cover, phone}, nil)
	require.Empty(t, taken)
	require.Equal(t, []sale.ShelfLoad{
		{SKU: "case", Available: 4, Number: 2, Limit: 5}, {SKU: "phone", Available: 5, Number: 1, Limit: 1},
	}, load.Stock)
	require.EqualValues(t, 4, load.Outbox)
	require.EqualValues(t, 2, load.Epoch)
	require.Equal(t, sale.BucketLoading, load.State)
	require.Equal(t, load.BucketRow, row.BucketRow)
	require.Zero(t, phone.SettledEpoch+phone.MovedEpoch+phone.GivenEpoch+row.Sequence)
	require.True(t, row.MayBegin(2), "one that a dead role left loading is taken over")
}

// Begin decides the takes that Redis has not applied: as many units as no order has.
func TestBeginAbsorbsOpenTakes(t *testing.T) {
	state := shelve(stateOf(true, 1, 10), "case", 2, 5, 4)
	row, phone, cover := state.Buckets[bucketNo(0)], state.Stock[phones(0)], state.Stock[shelfNo(0, "case")]
	row.State = sale.BucketClosed
	phone.Settled, phone.Released = 7, 2
	take := func(change string, lines ...sale.OutboxLine) sale.OutboxRow {
		return sale.OutboxRow{Bucket: bucketNo(0), Epoch: 1, Kind: sale.OutboxTake, Change: change, Lines: lines}
	}
	load, taken := row.Begin([]*Units{cover, phone}, []sale.OutboxRow{
		take("k1", sale.OutboxLine{SKU: "phone", Units: 3}),
		{Bucket: bucketNo(0), Epoch: 1, Kind: sale.OutboxRaise, Lines: []sale.OutboxLine{{SKU: "case", Units: 4}}},
		take("", sale.OutboxLine{SKU: "case", Units: 1}, sale.OutboxLine{SKU: "phone", Units: 9}),
		take("k2", sale.OutboxLine{SKU: "phone", Units: 9}, sale.OutboxLine{SKU: "lost", Units: 9}),
	})
	require.Equal(t, []Taken{
		{phones(0), 3, "k1"}, {shelfNo(0, "case"), 1, ""}, {phones(0), 2, ""}, {phones(0), 0, "k2"},
		{shelfNo(0, "lost"), 0, "k2"},
	}, taken)
	require.EqualValues(t, 5, phone.Loaded, "what is sold stays loaded")
	require.EqualValues(t, 3, cover.Loaded)
	require.Equal(t, []int64{3, 0}, []int64{load.Stock[0].Available, load.Stock[1].Available})
}

// A bucket in which more is sold than loaded has nothing to take.
func TestBeginTakesNothingOfAnOversoldShelf(t *testing.T) {
	state := stateOf(true, 1, 10)
	phone := state.Stock[phones(0)]
	phone.Settled = 11
	load, taken := state.Buckets[bucketNo(0)].Begin([]*Units{phone}, []sale.OutboxRow{
		{Kind: sale.OutboxTake, Lines: []sale.OutboxLine{{SKU: "phone", Units: 3}}},
	})
	require.Equal(t, []Taken{{phones(0), 0, ""}}, taken)
	require.EqualValues(t, -1, load.Stock[0].Available)
}

// The last epoch of a bucket: a record of an earlier one is late, and no load follows.
func TestArchiveIsTheLastEpoch(t *testing.T) {
	row := &Row{}
	row.Epoch, row.State, row.Sequence = 3, sale.BucketOpen, 9
	units := &Units{ShelfCounters: sale.ShelfCounters{
		SKU: "phone", Loaded: 5, Settled: 2, SettledEpoch: 2, GivenEpoch: 1, MovedEpoch: 1,
	}}
	row.Archive([]*Units{units})
	require.EqualValues(t, 4, row.Epoch)
	require.Equal(t, sale.BucketArchived, row.State)
	require.Zero(t, row.Sequence)
	require.Equal(t, sale.ShelfCounters{SKU: "phone", Loaded: 5, Settled: 2}, units.ShelfCounters)
	require.False(t, row.MayBegin(3))
	require.False(t, row.MayBegin(4))
}
