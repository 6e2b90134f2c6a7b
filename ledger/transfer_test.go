package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func moved(state *State, transfers ...*sale.Transfer) *Plan {
	p := NewPlan(state)
	for _, move := range transfers {
		p.Transfer(move)
	}
	return p
}

func TestTransferMovesUnits(t *testing.T) {
	state := stateOf(false, 1, 10, 4)
	state.Stock[bucketNo(1)].Epoch = 5
	state.Stock[bucketNo(1)].Outbox = 7
	one := transfer(0, 1, 1, 3, 6)
	p := moved(state, one, one)
	require.False(t, p.LookCloser)
	require.Equal(t, sale.Settlement{Duplicate: 1}, p.Settlement)
	require.Equal(t, &Move{Epoch: 1, Sequence: 3, Gain: Gain{Loaded: -6, SettledEpoch: 6, MovedEpoch: 6}}, p.Moves[bucketNo(0)])
	require.Equal(t, &Move{Epoch: 5, Gain: Gain{Loaded: 6, GivenEpoch: 6, Outbox: 1}}, p.Moves[bucketNo(1)])
	require.Equal(t, []sale.OutboxRow{
		{Bucket: bucketNo(1), Number: 8, Epoch: 5, Kind: sale.OutboxCredit, Units: 6},
	}, p.Outbox)
	require.Equal(t, []Mark{MarkOfTransfer(one)}, p.Markers)
	require.EqualValues(t, 4, state.Stock[bucketNo(0)].Loaded)
	require.EqualValues(t, 10, state.Stock[bucketNo(1)].Loaded)
}

func TestTransferOfUnitsThatAreNotThere(t *testing.T) {
	var made ids
	require.True(t, moved(stateOf(false, 1, 5, 0), transfer(0, 1, 1, 1, 6)).LookCloser)
	state := stateOf(true, 1, 5, 0)
	p := settled(state, batch(0, 1, 1, made.crowd(3)...))
	p.Transfer(transfer(0, 1, 1, 2, 3))
	require.Equal(t, ClosedByTransfer, p.Closing[bucketNo(0)])
	require.Empty(t, p.Outbox)
	require.Equal(t, Gain{Settled: 3, SettledEpoch: 6, MovedEpoch: 3}, p.Moves[bucketNo(0)].Gain, "they are no longer in flight")
	require.Nil(t, p.Moves[bucketNo(1)])
}

func TestTransferAfterReleaseFits(t *testing.T) {
	state := stateOf(true, 1, 5, 0)
	row := state.Stock[bucketNo(0)]
	row.Settled, row.Released = 5, 2
	require.Empty(t, moved(state, transfer(0, 1, 1, 2, 2)).Closing)
	require.NotEmpty(t, moved(state, transfer(0, 1, 1, 3, 1)).Closing)
}

func TestLateTransferMovesNothing(t *testing.T) {
	require.True(t, moved(stateOf(false, 1, 10, 0), transfer(0, 1, 0, 1, 6)).LookCloser)
	p := moved(stateOf(true, 1, 10, 0), transfer(0, 1, 0, 1, 6))
	require.Empty(t, p.Moves)
	require.Empty(t, p.Outbox)
	require.Empty(t, p.Closing)
	require.Len(t, p.Markers, 1)
}

func TestForkOfATransferMovesNothing(t *testing.T) {
	var made ids
	p := settled(stateOf(true, 1, 10, 0), batch(0, 1, 1, made.one("ann", 1)))
	p.Transfer(transfer(0, 1, 1, 1, 6))
	require.Equal(t, ClosedByFork, p.Closing[bucketNo(0)])
	require.Empty(t, p.Outbox)
	require.Len(t, p.Forks, 1)
}

func TestRefusedTransferGoesBackToItsGiver(t *testing.T) {
	p := NewPlan(stateOf(true, 1, 10))
	p.RefuseTransfer(transfer(0, 63, 1, 4, 6))
	require.Equal(t, &Move{Epoch: 1, Sequence: 4, Gain: Gain{SettledEpoch: 6, MovedEpoch: 6, GivenEpoch: 6, Outbox: 1}},
		p.Moves[bucketNo(0)])
	require.Equal(t, []sale.OutboxRow{{Bucket: bucketNo(0), Number: 1, Epoch: 1, Kind: sale.OutboxCredit, Units: 6}}, p.Outbox)

	p = NewPlan(stateOf(true, 1, 10))
	p.RefuseTransfer(transfer(0, 63, 0, 4, 6))
	require.Empty(t, p.Moves, "a rebuild has given an older epoch's units back")
	require.Len(t, p.Markers, 1)

	var made ids
	p = settled(stateOf(true, 1, 10), batch(0, 1, 4, made.one("ann", 1)))
	p.RefuseTransfer(transfer(0, 63, 1, 4, 6))
	require.Equal(t, ClosedByRefusal, p.Closing[bucketNo(0)], "a fork")
	require.Empty(t, p.Outbox)
}
