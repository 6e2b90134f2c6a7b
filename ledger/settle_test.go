package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Where nothing is out of the ordinary, deciding hastily is deciding closely.
func TestHastyPlansAreTheSame(t *testing.T) {
	for _, limit := range []int{1, 3} {
		var made ids
		first, second := batch(0, 1, 1, made.crowd(3)...), batch(0, 1, 2, made.crowd(2)...)
		hasty := settled(stateOf(false, limit, 10), first, second)
		closely := settled(stateOf(true, limit, 10), first, second)
		require.False(t, hasty.LookCloser)
		require.Equal(t, sale.Settlement{Rows: 5}, hasty.Settlement)
		hasty.state, closely.state = nil, nil
		require.Equal(t, closely, hasty)
	}
}

// A plan that needs more than a hasty state has sets LookCloser instead of deciding.
func TestHastyPlansLookCloser(t *testing.T) {
	var made ids
	first := batch(0, 1, 1, made.one("ann", 1))
	for name, c := range map[string]struct {
		stock   int64
		batches []*sale.Batch
	}{
		"late":               {10, []*sale.Batch{batch(0, 0, 1, made.one("ann", 1))}},
		"fork":               {10, []*sale.Batch{first, batch(0, 1, 1, made.one("bob", 1))}},
		"repeat":             {10, []*sale.Batch{first, first}},
		"beyond loaded":      {1, []*sale.Batch{first, batch(0, 1, 2, made.one("bob", 1))}},
		"beyond the limit":   {10, []*sale.Batch{batch(0, 1, 1, made.one("ann", 2))}},
		"nothing was loaded": {0, []*sale.Batch{first}},
	} {
		require.True(t, settled(stateOf(false, 1, c.stock), c.batches...).LookCloser, name)
	}
}

func TestPlanClosesOncePerBucket(t *testing.T) {
	var made ids
	p := settled(stateOf(true, 1, 1), batch(0, 1, 1, made.crowd(2)...), batch(0, 1, 2, made.crowd(1)...),
		batch(0, 1, 2, made.crowd(1)...))
	require.Equal(t, sale.Settlement{Rows: 4, Refused: 3, Closed: []sale.Bucket{bucketNo(0)}}, p.Settlement)
	require.Equal(t, ClosedByOrder, p.Closing[bucketNo(0)], "the first reason stays")
	require.Equal(t, &Move{Epoch: 1, Sequence: 2, Gain: Gain{Settled: 1, SettledEpoch: 4}}, p.Moves[bucketNo(0)])
	require.Len(t, p.Markers, 2)
	require.Len(t, p.Forks, 1)
}

func TestOrdersOfABatch(t *testing.T) {
	var made ids
	ann, bob := made.one("ann", 2), made.one("bob", 3)
	p := settled(stateOf(true, 3, 10), batch(0, 1, 8, ann, bob, made.one("ann", 2)))
	require.Len(t, p.Confirmed, 2)
	require.Equal(t, &Terms{
		Bucket: bucketNo(0), PriceCents: 129900, Currency: "CNY", CreatedMS: noonMS, UpdatedMS: noonMS + 5, PayByMS: noonMS +
			900_000,
	}, p.Confirmed[0].Terms)
	require.Equal(t, []Allowance{
		{Owner{"eleven", "phone", "ann"}, 0, ann.OrderID}, {Owner{"eleven", "phone", "ann"}, 1, ann.OrderID},
		{Owner{"eleven", "phone", "bob"}, 0, bob.OrderID}, {Owner{"eleven", "phone", "bob"}, 1, bob.OrderID},
		{Owner{"eleven", "phone", "bob"}, 2, bob.OrderID},
	}, p.Allowances)
	require.Equal(t, sale.ReasonOverLimit, p.Refused[0].Reason)
	require.Equal(t, map[sale.OrderStatus][]sale.OrderID{
		sale.StatusConfirmed: {1, 2}, sale.StatusRefused: {3},
	}, p.Statuses())
	require.EqualValues(t, 8, p.Moves[bucketNo(0)].Sequence)
}

func TestTermsWithoutDeadlineAndOfTheFuture(t *testing.T) {
	var made ids
	state := stateOf(true, 1, 10)
	state.Stock[bucketNo(0)].PaymentTTL = 0
	future := batch(0, 1, 1, made.one("ann", 1))
	future.CreatedMS = noonMS + 1e6
	terms := settled(state, future).Confirmed[0].Terms
	require.EqualValues(t, -1, terms.PayByMS)
	require.EqualValues(t, noonMS+1e6, terms.UpdatedMS, "no order changes before it is made")
}

func TestLateBatchesCountNothing(t *testing.T) {
	var made ids
	state := stateOf(true, 1, 10)
	state.Stock[bucketNo(0)].Epoch = 3
	known := made.one("bob", 1)
	state.Orders[known.OrderID] = true
	p := settled(state, batch(0, 2, 1, made.one("ann", 1), known))
	require.Equal(t, sale.Settlement{Rows: 1, Refused: 1}, p.Settlement)
	require.Equal(t, sale.ReasonFenced, p.Refused[0].Reason)
	require.Empty(t, p.Moves)
	require.Empty(t, p.Closing)
	require.Len(t, p.Markers, 1)
}

func TestRecordsOfAnEpochThatHasNotBegun(t *testing.T) {
	var made ids
	for _, closely := range []bool{false, true} {
		p := settled(stateOf(closely, 1, 10), batch(0, 7, 1, made.one("ann", 1)), batch(0, 9, 1, made.one("bob", 1)))
		p.Transfer(transfer(0, 0, 8, 3, 1))
		require.Equal(t, map[sale.Bucket]int64{bucketNo(0): 9}, p.Behind, "the highest epoch seen")
		require.Empty(t, p.Markers)
	}
}

// A call that is asked again after a loss may take more orders under the identity that is marked.
func TestMarkedBatchWithMoreOrdersIsAFork(t *testing.T) {
	for _, epoch := range []int64{1, 0} {
		var made ids
		state := stateOf(true, 1, 10)
		ann, bob, cat := made.one("ann", 1), made.one("bob", 1), made.one("cat", 1)
		p := settled(state, batch(0, epoch, 2, ann), batch(0, epoch, 2, ann, bob), batch(0, epoch, 2, ann, bob))
		require.Equal(t, 2, p.Settlement.Rows)
		require.Equal(t, 1, p.Settlement.Duplicate, "whole by now")
		require.Len(t, p.Markers, 1)
		require.Empty(t, p.Forks, "its identity is marked already")
		if epoch == 0 {
			require.Empty(t, p.Closing)
			require.Equal(t, sale.ReasonFenced, p.Refused[1].Reason)
			continue
		}
		require.Equal(t, bob.OrderID, p.Confirmed[1].OrderID)
		require.Equal(t, ClosedByFork, p.Closing[bucketNo(0)])

		grown := batch(0, 1, 2, bob, cat) // a fork grows as well
		p = settled(state, batch(0, 1, 2, bob), grown, grown)
		require.Equal(t, sale.Settlement{Rows: 1, Duplicate: 1, Closed: []sale.Bucket{bucketNo(0)}}, p.Settlement)
		require.Equal(t, []Mark{MarkOfBatch(grown)}, p.Forks)
	}
}
