package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// The rows of an answer come in any order; a row that is not the engine's is an error that shows it.
func TestRowsOfTheBooks(t *testing.T) {
	read := countersReader{shelves: map[sale.Bucket]*[]sale.ShelfCounters{}}
	for _, text := range []string{"s 1 phone 5 4 3 2 1 0", "s 0 phone 9 0 0 0 0 0", "s 1 open 2 7 11 3", "s 1 case 1 0 0 0 0 0"} {
		require.NoError(t, read.note([]byte(text)))
	}
	second := sale.Bucket{Sale: "s", Number: 1}
	require.Equal(t, []sale.StockCounters{{BucketCounters: sale.BucketCounters{
		BucketRow: sale.BucketRow{Bucket: second, Epoch: 2, State: sale.BucketOpen, Partition: 7}, Sequence: 11, Outbox: 3,
	}}}, read.counters)
	require.Equal(t, []sale.ShelfCounters{
		{SKU: "phone", Loaded: 5, Settled: 4, Released: 3, SettledEpoch: 2, MovedEpoch: 1}, {SKU: "case", Loaded: 1},
	}, *read.shelves[second])
	require.Len(t, *read.shelves[sale.Bucket{Sale: "s"}], 1)
	for _, text := range []string{
		"", "s 1 open 2 7 11", "s 1 open 2 7 11 3 0", "s 1 a 1 2 3 4 5 6 7", "s x open 2 7 11 3", "s 1 open 2 7 11 ",
		"s 1 phone 5 4 3 2 1 9223372036854775808",
	} {
		require.ErrorContains(t, read.note([]byte(text)), `row "`+text+`" of the books`)
	}
}
