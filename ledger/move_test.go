package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMoveObeysItsGuard(t *testing.T) {
	row := stateOf(true, 1, 10).Buckets[bucketNo(0)]
	before := *row
	require.False(t, (&Move{Epoch: 2, Sequence: 5, Outbox: 1}).Apply(row), "another epoch")
	require.Equal(t, before, *row)
	require.True(t, (&Move{Epoch: 1, Sequence: 5, Outbox: 1}).Apply(row))
	require.EqualValues(t, []int64{1, 5}, []int64{row.Outbox, row.Sequence})
}

func TestGainObeysItsGuard(t *testing.T) {
	shelf := stateOf(true, 1, 10).Stock[phones(0)]
	shelf.Settled, shelf.Released = 9, 2
	before := *shelf
	for name, g := range map[string]Gain{
		"beyond loaded":     {Settled: 4},
		"taken out":         {Loaded: -4},
		"both are too many": {Loaded: -2, Settled: 2},
	} {
		require.False(t, g.Apply(shelf), name)
		require.Equal(t, before, *shelf, name)
	}
	fits := Gain{Loaded: -1, Settled: 3, Released: 1, SettledEpoch: 4, MovedEpoch: 1, GivenEpoch: 1}
	require.True(t, fits.Apply(shelf))
	require.EqualValues(t, 9, shelf.Loaded)
	require.EqualValues(t, 9, shelf.Settled-shelf.Released)
	require.Zero(t, shelf.Free())
	require.EqualValues(t, []int64{4, 1, 1}, []int64{shelf.SettledEpoch, shelf.MovedEpoch, shelf.GivenEpoch})
}
