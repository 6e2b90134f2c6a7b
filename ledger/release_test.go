package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func releasing(number int, id sale.OrderID, quantity int) Releasing {
	return Releasing{bucketNo(number), sale.ReleasedOrder{OrderID: id, Quantity: quantity, Buyer: "ann"}}
}

func TestReleaseIsOneOutboxRowPerBucket(t *testing.T) {
	state := stateOf(true, 3, 10, 10)
	for _, row := range state.Stock {
		row.Settled, row.Outbox, row.Sequence = 8, 4, 11
	}
	p := NewPlan(state)
	p.Release([]Releasing{releasing(1, 5, 2), releasing(0, 6, 1), releasing(1, 7, 3)}, sale.StatusExpired, sale.ReasonNone)
	require.Equal(t, []sale.OutboxRow{
		{Bucket: bucketNo(1), Number: 5, Epoch: 1, Kind: sale.OutboxRelease, Units: 5, Orders: []sale.ReleasedOrder{
			{OrderID: 5, Quantity: 2, Buyer: "ann"}, {OrderID: 7, Quantity: 3, Buyer: "ann"},
		}},
		{Bucket: bucketNo(0), Number: 5, Epoch: 1, Kind: sale.OutboxRelease, Units: 1, Orders: []sale.ReleasedOrder{
			{OrderID: 6, Quantity: 1, Buyer: "ann"},
		}},
	}, p.Outbox)
	require.Equal(t, &Move{Epoch: 1, Sequence: 11, Gain: Gain{Released: 5, GivenEpoch: 5, Outbox: 1}}, p.Moves[bucketNo(1)])
	require.Equal(t, map[sale.OrderStatus][]sale.OrderID{sale.StatusExpired: {5, 6, 7}}, p.Statuses())
	require.EqualValues(t, 5, state.Stock[bucketNo(1)].Released)
}

func TestManyReleasesAreSeveralOutboxRows(t *testing.T) {
	orders := make([]Releasing, 2*MaxReleased+1)
	for i := range orders {
		orders[i] = releasing(0, sale.OrderID(i+1), 1)
	}
	p := NewPlan(stateOf(true, 1, 10_000))
	p.Release(orders, sale.StatusExpired, sale.ReasonNone)
	require.Len(t, p.Outbox, 3)
	require.EqualValues(t, []int64{1, 2, 3}, []int64{p.Outbox[0].Number, p.Outbox[1].Number, p.Outbox[2].Number})
	require.EqualValues(t, 1, p.Outbox[2].Units)
	require.Equal(t, Gain{Released: 2*MaxReleased + 1, GivenEpoch: 2*MaxReleased + 1, Outbox: 3}, p.Moves[bucketNo(0)].Gain)
}

// Units that were given back can be sold again; the guard counts them.
func TestReleasedUnitsAreSoldAgain(t *testing.T) {
	var made ids
	state := stateOf(true, 1, 2)
	state.Stock[bucketNo(0)].Settled, state.Stock[bucketNo(0)].Released = 2, 1
	p := settled(state, batch(0, 1, 1, made.crowd(2)...))
	require.Len(t, p.Confirmed, 1)
	require.Len(t, p.Refused, 1)
}

func TestRefusedBatchGoesThroughTheOutbox(t *testing.T) {
	var made ids
	p := NewPlan(stateOf(true, 1, 10))
	b := batch(0, 1, 9, made.one("ann", 1), made.one("bob", 2))
	p.Refuse(b)
	require.Equal(t, &Move{Epoch: 1, Sequence: 9, Gain: Gain{SettledEpoch: 3, GivenEpoch: 3, Outbox: 1}}, p.Moves[bucketNo(0)])
	require.Equal(t, []sale.ReleasedOrder{{OrderID: 1, Quantity: 1, Buyer: "ann"}, {OrderID: 2, Quantity: 2, Buyer: "bob"}},
		p.Outbox[0].Orders)
	require.Equal(t, sale.OutboxRefusal, p.Outbox[0].Kind, "nothing is remembered of them")
	require.Len(t, p.Refused, 2)
	require.Empty(t, p.Closing)
}

func TestRefusedBatchThatTheBooksKnowPartlyNeedsARebuild(t *testing.T) {
	var made ids
	state := stateOf(true, 1, 10)
	b := batch(0, 1, 9, made.one("ann", 1), made.one("bob", 2))
	state.Orders[1] = true
	p := NewPlan(state)
	p.Refuse(b)
	require.Equal(t, ClosedByRefusal, p.Closing[bucketNo(0)])
	require.Empty(t, p.Outbox)
	require.Equal(t, Gain{SettledEpoch: 3}, p.Moves[bucketNo(0)].Gain)
	require.Len(t, p.Refused, 1)

	timeless := batch(0, 0, 9, made.one("cat", 1))
	timeless.CreatedMS = sale.MaxCreatedMS
	p = NewPlan(stateOf(true, 1, 10))
	p.Refuse(timeless)
	require.Empty(t, p.Moves, "an older epoch")
	require.EqualValues(t, MaxMomentMS, p.Refused[0].CreatedMS, "a time that every store can hold")
}

func TestAppliedRowsAreMarked(t *testing.T) {
	state := stateOf(true, 1, 10)
	p := NewPlan(state)
	a := sale.Applied{Bucket: bucketNo(0), Epoch: 1, Number: 3, Sequence: 8}
	p.Applied(a)
	p.Applied(a)
	require.Equal(t, []Mark{MarkOfApplied(&a)}, p.Markers, "once")
	require.Equal(t, []sale.Applied{a, a}, p.Done)
	require.Equal(t, &Move{Epoch: 1, Sequence: 8}, p.Moves[bucketNo(0)])
	require.Empty(t, p.Closing)
}

func TestAppliedAtAPlaceOfABatch(t *testing.T) {
	var made ids
	p := settled(stateOf(true, 1, 10), batch(0, 1, 8, made.one("ann", 1)))
	p.Applied(sale.Applied{Bucket: bucketNo(0), Epoch: 1, Number: 3, Sequence: 8})
	require.Equal(t, ClosedByFork, p.Closing[bucketNo(0)])
	require.Len(t, p.Forks, 1)

	p = NewPlan(stateOf(true, 1, 10))
	p.Applied(sale.Applied{Bucket: bucketNo(0), Epoch: 1, Number: 3, Sequence: 8})
	p.Settle(batch(0, 1, 8, made.one("bob", 1)))
	require.Equal(t, ClosedByFork, p.Closing[bucketNo(0)], "the batch comes second")
}

func TestAppliedRowsOfAnotherEpochWereAbsorbed(t *testing.T) {
	p := NewPlan(stateOf(true, 1, 10))
	p.Applied(sale.Applied{Bucket: bucketNo(0), Epoch: 0, Number: 3, Sequence: 8})
	p.Applied(sale.Applied{Bucket: bucketNo(5), Epoch: 1, Number: 3, Sequence: 8})
	require.Empty(t, p.Done)
	require.Empty(t, p.Markers)
	require.Empty(t, p.Moves)
}
