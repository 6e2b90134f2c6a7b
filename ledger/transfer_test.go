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
	state.Buckets[bucketNo(1)].Epoch = 5
	state.Buckets[bucketNo(1)].Outbox = 7
	one := transfer(0, 1, 1, 3, 6)
	p := moved(state, one, one)
	require.False(t, p.LookCloser)
	require.Equal(t, sale.Settlement{Duplicate: 1}, p.Settlement)
	require.Equal(t, map[sale.Bucket]*Move{bucketNo(0): {Epoch: 1, Sequence: 3}, bucketNo(1): {Epoch: 5, Outbox: 1}}, p.Moves)
	require.Equal(t, map[sale.Shelf]*Gain{
		phones(0): {Loaded: -6, SettledEpoch: 6, MovedEpoch: 6}, phones(1): {Loaded: 6, GivenEpoch: 6},
	}, p.Gains)
	require.Equal(t, []sale.OutboxRow{{
		Bucket: bucketNo(1), Number: 8, Epoch: 5, Kind: sale.OutboxCredit,
		Lines: []sale.OutboxLine{{SKU: "phone", Units: 6, Number: 1, Limit: 1}},
	}}, p.Outbox)
	require.Equal(t, []Mark{MarkOfTransfer(one)}, p.Markers)
	require.EqualValues(t, 4, state.Stock[phones(0)].Loaded)
	require.EqualValues(t, 10, state.Stock[phones(1)].Loaded)
}

// A transfer of several SKUs moves all of them or none.
func TestTransferOfSeveralSKUs(t *testing.T) {
	units := []sale.SKUUnits{{SKU: "phone", Units: 6}, {SKU: "case", Units: 3}}
	state := shelve(stateOf(true, 1, 10, 4), "case", 2, 5, 3, 0)
	p := moved(state, transferOf(0, 1, 1, 3, units...))
	require.Empty(t, p.Closing)
	require.Equal(t, []sale.OutboxLine{
		{SKU: "phone", Units: 6, Number: 1, Limit: 1}, {SKU: "case", Units: 3, Number: 2, Limit: 5},
	}, p.Outbox[0].Lines)
	require.Equal(t, &Gain{Loaded: -3, SettledEpoch: 3, MovedEpoch: 3}, p.Gains[shelfNo(0, "case")])
	require.Equal(t, &Gain{Loaded: 3, GivenEpoch: 3}, p.Gains[shelfNo(1, "case")])

	state = shelve(stateOf(true, 1, 10, 4), "case", 2, 5, 2, 0)
	p = moved(state, transferOf(0, 1, 1, 3, units...))
	require.Equal(t, ClosedByTransfer, p.Closing[bucketNo(0)])
	require.Empty(t, p.Outbox)
	require.Equal(t, map[sale.Shelf]*Gain{
		phones(0): {SettledEpoch: 6, MovedEpoch: 6}, shelfNo(0, "case"): {SettledEpoch: 3, MovedEpoch: 3},
	}, p.Gains)
	require.EqualValues(t, 10, state.Stock[phones(0)].Loaded)
}

func TestTransferOfUnitsThatAreNotThere(t *testing.T) {
	var made ids
	require.True(t, moved(stateOf(false, 1, 5, 0), transfer(0, 1, 1, 1, 6)).LookCloser)
	state := stateOf(true, 1, 5, 0)
	p := settled(state, batch(0, 1, 1, made.crowd(3)...))
	p.Transfer(transfer(0, 1, 1, 2, 3))
	require.Equal(t, ClosedByTransfer, p.Closing[bucketNo(0)])
	require.Empty(t, p.Outbox)
	require.Equal(t, &Gain{Settled: 3, SettledEpoch: 6, MovedEpoch: 3}, p.Gains[phones(0)], "they are no longer in flight")
	require.Nil(t, p.Moves[bucketNo(1)])
}

func TestTransferAfterReleaseFits(t *testing.T) {
	state := stateOf(true, 1, 5, 0)
	shelf := state.Stock[phones(0)]
	shelf.Settled, shelf.Released = 5, 2
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
	require.Equal(t, &Move{Epoch: 1, Sequence: 4, Outbox: 1}, p.Moves[bucketNo(0)])
	require.Equal(t, &Gain{SettledEpoch: 6, MovedEpoch: 6, GivenEpoch: 6}, p.Gains[phones(0)])
	require.Equal(t, []sale.OutboxRow{{
		Bucket: bucketNo(0), Number: 1, Epoch: 1, Kind: sale.OutboxCredit,
		Lines: []sale.OutboxLine{{SKU: "phone", Units: 6, Number: 1, Limit: 1}},
	}}, p.Outbox)

	p = NewPlan(stateOf(true, 1, 10))
	p.RefuseTransfer(transfer(0, 63, 0, 4, 6))
	require.Empty(t, p.Moves, "a rebuild has given an older epoch's units back")
	require.Len(t, p.Markers, 1)

	var made ids
	p = settled(stateOf(true, 1, 10), batch(0, 1, 4, made.one("ann", 1)))
	p.RefuseTransfer(transfer(0, 63, 1, 4, 6))
	require.Equal(t, ClosedByRefusal, p.Closing[bucketNo(0)], "a fork")
	require.Empty(t, p.Outbox)

	p = NewPlan(stateOf(true, 1, 10))
	p.RefuseTransfer(transferOf(0, 63, 1, 4, sale.SKUUnits{SKU: "phone", Units: 2}, sale.SKUUnits{SKU: "lost", Units: 6}))
	require.Equal(t, ClosedByRefusal, p.Closing[bucketNo(0)], "a SKU that the database does not have")
	require.Equal(t, map[sale.Shelf]*Gain{phones(0): {SettledEpoch: 2, MovedEpoch: 2}}, p.Gains)
	require.Empty(t, p.Outbox)
}
