package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestAppliedRowsAreMarked(t *testing.T) {
	state := stateOf(true, 1, 10)
	p := NewPlan(state)
	a := sale.Applied{Bucket: bucketNo(0), Epoch: 1, Number: 3, Sequence: 8}
	p.Applied(a, nil)
	p.Applied(a, nil)
	require.Equal(t, []Mark{MarkOfApplied(&a)}, p.Markers, "once")
	require.Equal(t, []sale.Applied{a, a}, p.Done)
	require.Equal(t, &Move{Epoch: 1, Sequence: 8}, p.Moves[bucketNo(0)])
	require.Empty(t, p.Closing)
}

func TestAppliedAtAPlaceOfABatch(t *testing.T) {
	var made ids
	p := settled(stateOf(true, 1, 10), batch(0, 1, 8, made.one("ann", 1)))
	p.Applied(sale.Applied{Bucket: bucketNo(0), Epoch: 1, Number: 3, Sequence: 8}, nil)
	require.Equal(t, ClosedByFork, p.Closing[bucketNo(0)])
	require.Len(t, p.Forks, 1)

	p = NewPlan(stateOf(true, 1, 10))
	p.Applied(sale.Applied{Bucket: bucketNo(0), Epoch: 1, Number: 3, Sequence: 8}, nil)
	p.Settle(batch(0, 1, 8, made.one("bob", 1)))
	require.Equal(t, ClosedByFork, p.Closing[bucketNo(0)], "the batch comes second")
}

func TestAppliedRowsOfAnotherEpochWereAbsorbed(t *testing.T) {
	p := NewPlan(stateOf(true, 1, 10))
	p.Applied(sale.Applied{Bucket: bucketNo(0), Epoch: 0, Number: 3, Sequence: 8}, nil)
	p.Applied(sale.Applied{Bucket: bucketNo(5), Epoch: 1, Number: 3, Sequence: 8}, nil)
	require.Empty(t, p.Done)
	require.Empty(t, p.Markers)
	require.Empty(t, p.Moves)
}

// takeOf is the take of a bucket in epoch 1 that sequence 8 applies.
func takeOf(lines ...sale.OutboxLine) []sale.OutboxRow {
	return []sale.OutboxRow{{Bucket: bucketNo(0), Number: 3, Epoch: 1, Kind: sale.OutboxTake, Change: "k1", Lines: lines}}
}

func appliedTake(found ...sale.SKUUnits) sale.Applied {
	return sale.Applied{Bucket: bucketNo(0), Epoch: 1, Number: 3, Sequence: 8, Took: found}
}

func TestAppliedTakeLeavesTheLoadedUnits(t *testing.T) {
	state := shelve(stateOf(true, 1, 10), "case", 2, 5, 10)
	state.Stock[phones(0)].Settled, state.Stock[phones(0)].Released = 8, 1
	p := NewPlan(state)
	take := takeOf(sale.OutboxLine{SKU: "phone", Units: 5}, sale.OutboxLine{SKU: "case", Units: 4})
	a := appliedTake(sale.SKUUnits{SKU: "case", Units: 0}, sale.SKUUnits{SKU: "phone", Units: 3})
	p.Applied(a, take)
	require.Equal(t, []sale.Applied{a}, p.Done)
	require.Equal(t, []Taken{{phones(0), 3, "k1"}, {shelfNo(0, "case"), 0, "k1"}}, p.Took, "every line, also what found nothing")
	require.Equal(t, map[sale.Shelf]*Gain{phones(0): {Loaded: -3, GivenEpoch: -3}, shelfNo(0, "case"): {}}, p.Gains)
	require.EqualValues(t, 7, state.Stock[phones(0)].Loaded)
	require.Empty(t, p.Closing)
	p.Applied(a, nil)
	require.Len(t, p.Took, 2, "the row is gone")
	p.Applied(a, take)
	require.Len(t, p.Took, 2, "this plan deletes the row")
}

func TestAppliedRowThatIsNoTakeTakesNothing(t *testing.T) {
	p := NewPlan(stateOf(true, 1, 10))
	raise := takeOf(sale.OutboxLine{SKU: "phone", Units: 5})
	raise[0].Kind = sale.OutboxRaise
	p.Applied(appliedTake(), raise)
	require.Len(t, p.Done, 1)
	require.Empty(t, p.Took)
	require.Empty(t, p.Gains)
}

// A take is never deleted without what Redis found of it: its units would stay loaded.
func TestAppliedDeletesNoTakeWithoutWhatWasFound(t *testing.T) {
	take := takeOf(sale.OutboxLine{SKU: "phone", Units: 2})
	later := appliedTake(sale.SKUUnits{SKU: "phone", Units: 2})
	later.Number++
	other := appliedTake(sale.SKUUnits{SKU: "phone"}, sale.SKUUnits{SKU: "case"})
	for name, a := range map[string]sale.Applied{"not found": appliedTake(), "of a later row": later, "of another row": other} {
		p := NewPlan(stateOf(true, 1, 10))
		p.Applied(a, take)
		require.Empty(t, p.Done, name)
		require.Empty(t, p.Took, name)
		require.Empty(t, p.Markers, name)
		require.Empty(t, p.Closing, name)
	}
	p := NewPlan(stateOf(true, 1, 10))
	p.Applied(sale.Applied{Bucket: bucketNo(0), Epoch: 1, Number: 2, Sequence: 7}, take)
	p.Applied(appliedTake(sale.SKUUnits{SKU: "phone", Units: 2}), take)
	p.Applied(sale.Applied{Bucket: bucketNo(0), Epoch: 1, Number: 4, Sequence: 9}, take)
	require.Len(t, p.Done, 3, "each page of its own")
	require.Len(t, p.Took, 1)
}

// Redis finds units that orders have only after it has lost writes. The rebuild decides the take then.
func TestAppliedTakeOfSoldUnitsCloses(t *testing.T) {
	for name, c := range map[string]struct{ asked, found int64 }{"sold": {9, 3}, "more than asked": {1, 2}} {
		state := shelve(stateOf(true, 1, 10), "case", 2, 5, 10)
		state.Stock[phones(0)].Settled = 8
		p := NewPlan(state)
		p.Applied(appliedTake(sale.SKUUnits{SKU: "case", Units: 4}, sale.SKUUnits{SKU: "phone", Units: c.found}),
			takeOf(sale.OutboxLine{SKU: "case", Units: 4}, sale.OutboxLine{SKU: "phone", Units: c.asked}))
		require.Equal(t, ClosedByTake, p.Closing[bucketNo(0)], name)
		require.Empty(t, p.Done, "the row stays for the rebuild")
		require.Empty(t, p.Took)
		require.Empty(t, p.Gains)
		require.Len(t, p.Markers, 1)
	}
}

func TestAppliedTakeAtAPlaceOfABatchIsLeftToTheRebuild(t *testing.T) {
	var made ids
	p := settled(stateOf(true, 1, 10), batch(0, 1, 8, made.one("ann", 1)))
	p.Applied(appliedTake(sale.SKUUnits{SKU: "phone", Units: 2}), takeOf(sale.OutboxLine{SKU: "phone", Units: 2}))
	require.Equal(t, ClosedByFork, p.Closing[bucketNo(0)])
	require.Empty(t, p.Done)
	require.Empty(t, p.Took)
}
