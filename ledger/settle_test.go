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
	require.Equal(t, &Move{Epoch: 1, Sequence: 2, Orders: 1}, p.Moves[bucketNo(0)])
	require.Equal(t, map[sale.Shelf]*Gain{phones(0): {Settled: 1, SettledEpoch: 4}}, p.Gains)
	require.Len(t, p.Markers, 2)
	require.Len(t, p.Forks, 1)
}

func TestOrdersOfABatch(t *testing.T) {
	var made ids
	p := settled(stateOf(true, 3, 10), batch(0, 1, 8, made.one("ann", 2), made.one("bob", 3), made.one("ann", 2)))
	require.Len(t, p.Confirmed, 2)
	require.Equal(t, &Terms{
		Bucket: bucketNo(0), Currency: "CNY", CreatedMS: noonMS, UpdatedMS: noonMS + 5, PayByMS: noonMS + 900_000,
	}, p.Confirmed[0].Terms)
	require.Equal(t, sale.ReasonOverLimit, p.Refused[0].Reason)
	require.Equal(t, map[sale.OrderStatus][]sale.OrderID{
		sale.StatusConfirmed: {1, 2}, sale.StatusRefused: {3},
	}, p.Statuses())
	require.EqualValues(t, 8, p.Moves[bucketNo(0)].Sequence)
	require.Equal(t, &Gain{Settled: 5, SettledEpoch: 7}, p.Gains[phones(0)])
}

// An order of several lines is confirmed whole or refused whole, whichever line is at fault.
func TestOrdersOfSeveralLinesAreWhole(t *testing.T) {
	for name, c := range map[string]struct {
		lines     []sale.Line
		saleLimit int
		reason    sale.OrderReason
	}{
		"fits":                 {[]sale.Line{line("phone", 1), line("case", 3)}, 0, sale.ReasonNone},
		"fits the sale limit":  {[]sale.Line{line("phone", 1), line("case", 3)}, 6, sale.ReasonNone},
		"first line sold out":  {[]sale.Line{line("phone", 6), line("case", 1)}, 0, sale.ReasonSoldOut},
		"last line sold out":   {[]sale.Line{line("phone", 1), line("case", 5)}, 0, sale.ReasonSoldOut},
		"last line over limit": {[]sale.Line{line("phone", 1), line("case", 4)}, 0, sale.ReasonOverLimit},
		"over the sale limit":  {[]sale.Line{line("phone", 2), line("case", 3)}, 6, sale.ReasonOverLimit},
	} {
		for _, closely := range []bool{true, false} {
			var made ids
			state := shelve(stateOf(closely, 9, 5), "case", 2, 4, 4)
			state.Buckets[bucketNo(0)].SaleLimit = c.saleLimit
			state.BoughtBy(ann).Units = map[string]int{"case": 1, "phone": 1}
			p := settled(state, batch(0, 1, 1, made.order("ann", c.lines...)))
			units := map[string]int64{"phone": int64(c.lines[0].Quantity), "case": int64(c.lines[1].Quantity)}
			for sku, n := range units {
				g := &Gain{Settled: n, SettledEpoch: n}
				if c.reason != sale.ReasonNone {
					g.Settled = 0
				}
				require.Equal(t, g, p.Gains[shelfNo(0, sku)], "%s: %s", name, sku)
				require.Equal(t, g.Settled, state.Stock[shelfNo(0, sku)].Settled)
			}
			if c.reason == sale.ReasonNone {
				require.Len(t, p.Confirmed, 1, name)
				require.Equal(t, map[string]int{"case": 4, "phone": 2}, state.BoughtBy(ann).Units)
				continue
			}
			require.Equal(t, c.reason, p.Refused[0].Reason, name)
			require.Equal(t, ClosedByOrder, p.Closing[bucketNo(0)])
			require.Equal(t, map[string]int{"case": 1, "phone": 1}, state.BoughtBy(ann).Units)
			require.Equal(t, !closely, p.LookCloser)
		}
	}
}

// The limit of a SKU is its own, the limit of the sale counts all SKUs, and both count what earlier orders of a plan bought.
func TestLimitsCountWhatThePlanConfirms(t *testing.T) {
	var made ids
	state := shelve(stateOf(true, 1, 10), "case", 2, 5, 10)
	state.Buckets[bucketNo(0)].SaleLimit = 4
	p := settled(state, batch(0, 1, 1, made.one("ann", 1), made.order("ann", line("case", 3)), made.one("ann", 1)),
		batch(0, 1, 2, made.order("ann", line("case", 1)), made.order("bob", line("case", 4))))
	require.Equal(t, map[sale.OrderStatus][]sale.OrderID{
		sale.StatusConfirmed: {1, 2, 5}, sale.StatusRefused: {3, 4},
	}, p.Statuses())
}

func TestTermsWithoutDeadlineAndOfTheFuture(t *testing.T) {
	var made ids
	state := stateOf(true, 1, 10)
	state.Buckets[bucketNo(0)].PaymentTTL = 0
	future := batch(0, 1, 1, made.one("ann", 1))
	future.CreatedMS = noonMS + 1e6
	terms := settled(state, future).Confirmed[0].Terms
	require.EqualValues(t, -1, terms.PayByMS)
	require.EqualValues(t, noonMS+1e6, terms.UpdatedMS, "no order changes before it is made")
}

func TestLateBatchesCountNothing(t *testing.T) {
	var made ids
	state := stateOf(true, 1, 10)
	state.Buckets[bucketNo(0)].Epoch = 3
	known := made.one("bob", 1)
	state.Orders[known.OrderID] = true
	p := settled(state, batch(0, 2, 1, made.one("ann", 1), known))
	require.Equal(t, sale.Settlement{Rows: 1, Refused: 1}, p.Settlement)
	require.Equal(t, sale.ReasonFenced, p.Refused[0].Reason)
	require.Empty(t, p.Moves)
	require.Empty(t, p.Gains)
	require.Empty(t, p.Closing)
	require.Len(t, p.Markers, 1)
	require.Empty(t, state.BoughtBy(ann).Units)
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
