package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func given(id sale.OrderID, lines ...sale.Line) sale.ReleasedOrder {
	return sale.ReleasedOrder{OrderID: id, Buyer: "ann", Lines: lines}
}

func releasing(number int, id sale.OrderID, lines ...sale.Line) Releasing {
	return Releasing{bucketNo(number), given(id, lines...)}
}

func TestReleaseIsOneOutboxRowPerBucket(t *testing.T) {
	state := shelve(stateOf(true, 3, 10, 10), "case", 2, 5, 10, 10)
	for _, shelf := range state.Stock {
		shelf.Settled = 8
	}
	for _, row := range state.Buckets {
		row.Outbox, row.Sequence = 4, 11
	}
	p := NewPlan(state)
	p.Release([]Releasing{
		releasing(1, 5, line("phone", 2), line("case", 1)), releasing(0, 6, line("phone", 1)), releasing(1, 7, line("phone", 3)),
	}, sale.StatusExpired, sale.ReasonNone)
	require.Equal(t, []sale.OutboxRow{
		{Bucket: bucketNo(1), Number: 5, Epoch: 1, Kind: sale.OutboxRelease, Orders: []sale.ReleasedOrder{
			given(5, line("phone", 2), line("case", 1)), given(7, line("phone", 3)),
		}},
		{Bucket: bucketNo(0), Number: 5, Epoch: 1, Kind: sale.OutboxRelease, Orders: []sale.ReleasedOrder{
			given(6, line("phone", 1)),
		}},
	}, p.Outbox)
	require.Equal(t, map[sale.Bucket]*Move{
		bucketNo(0): {Epoch: 1, Sequence: 11, Outbox: 1}, bucketNo(1): {Epoch: 1, Sequence: 11, Outbox: 1},
	}, p.Moves)
	require.Equal(t, map[sale.Shelf]*Gain{
		phones(0): {Released: 1, GivenEpoch: 1}, phones(1): {Released: 5, GivenEpoch: 5},
		shelfNo(1, "case"): {Released: 1, GivenEpoch: 1},
	}, p.Gains)
	require.Equal(t, map[sale.OrderStatus][]sale.OrderID{sale.StatusExpired: {5, 6, 7}}, p.Statuses())
	require.EqualValues(t, 5, state.Stock[phones(1)].Released)
	require.EqualValues(t, 1, state.Stock[shelfNo(1, "case")].Released)
}

func TestManyReleasesAreSeveralOutboxRows(t *testing.T) {
	orders := make([]Releasing, 2*MaxReleased+1)
	for i := range orders {
		orders[i] = releasing(0, sale.OrderID(i+1), line("phone", 1))
	}
	p := NewPlan(stateOf(true, 1, 10_000))
	p.Release(orders, sale.StatusExpired, sale.ReasonNone)
	require.Len(t, p.Outbox, 3)
	require.EqualValues(t, []int64{1, 2, 3}, []int64{p.Outbox[0].Number, p.Outbox[1].Number, p.Outbox[2].Number})
	require.Len(t, p.Outbox[2].Orders, 1)
	require.EqualValues(t, 3, p.Moves[bucketNo(0)].Outbox)
	require.Equal(t, &Gain{Released: 2*MaxReleased + 1, GivenEpoch: 2*MaxReleased + 1}, p.Gains[phones(0)])
}

func TestManyLinesAreSeveralOutboxRows(t *testing.T) {
	state, lines := stateOf(true, 1), make([]sale.Line, sale.MaxLines)
	state.Buckets = stateOf(true, 1, 0).Buckets
	for i := range lines {
		lines[i] = line(fmt.Sprintf("sku-%d", i), 1)
		shelve(state, lines[i].SKU, i+1, 1, 1000)
	}
	orders := make([]Releasing, sale.MaxRecordLines/sale.MaxLines+1)
	for i := range orders {
		orders[i] = releasing(0, sale.OrderID(i+1), lines...)
	}
	p := NewPlan(state)
	p.Release(orders, sale.StatusExpired, sale.ReasonNone)
	require.Len(t, p.Outbox, 2)
	require.Len(t, p.Outbox[0].Orders, sale.MaxRecordLines/sale.MaxLines)
	require.Len(t, p.Outbox[1].Orders, 1)
	require.EqualValues(t, len(orders), p.Gains[shelfNo(0, "sku-19")].Released)
}

// Units that were given back can be sold again; the guard counts them.
func TestReleasedUnitsAreSoldAgain(t *testing.T) {
	var made ids
	state := stateOf(true, 1, 2)
	state.Stock[phones(0)].Settled, state.Stock[phones(0)].Released = 2, 1
	p := settled(state, batch(0, 1, 1, made.crowd(2)...))
	require.Len(t, p.Confirmed, 1)
	require.Len(t, p.Refused, 1)
}

func TestRefusedBatchGoesThroughTheOutbox(t *testing.T) {
	var made ids
	p := NewPlan(shelve(stateOf(true, 1, 10), "case", 2, 5, 10))
	p.Refuse(batch(0, 1, 9, made.one("ann", 1), made.order("ann", line("phone", 2), line("case", 4))))
	require.Equal(t, &Move{Epoch: 1, Sequence: 9, Outbox: 1}, p.Moves[bucketNo(0)])
	require.Equal(t, map[sale.Shelf]*Gain{
		phones(0): {SettledEpoch: 3, GivenEpoch: 3}, shelfNo(0, "case"): {SettledEpoch: 4, GivenEpoch: 4},
	}, p.Gains)
	require.Equal(t, []sale.OutboxRow{{ // of a refusal nothing is remembered
		Bucket: bucketNo(0), Number: 1, Epoch: 1, Kind: sale.OutboxRefusal, Orders: []sale.ReleasedOrder{
			given(1, line("phone", 1)), given(2, line("phone", 2), line("case", 4)),
		},
	}}, p.Outbox)
	require.Len(t, p.Refused, 2)
	require.Equal(t, sale.ReasonDeadLetter, p.Refused[1].Reason)
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
	require.Equal(t, &Gain{SettledEpoch: 3}, p.Gains[phones(0)])
	require.Len(t, p.Refused, 1)

	p = NewPlan(stateOf(true, 1, 10))
	p.Refuse(batch(0, 1, 9, made.one("ann", 1), made.order("bob", line("lost", 2))))
	require.Equal(t, ClosedByRefusal, p.Closing[bucketNo(0)], "a SKU that the database does not have")
	require.Equal(t, map[sale.Shelf]*Gain{phones(0): {SettledEpoch: 1}}, p.Gains)
	require.Empty(t, p.Outbox)
	require.Len(t, p.Refused, 2)

	timeless := batch(0, 0, 9, made.one("cat", 1))
	timeless.CreatedMS = sale.MaxCreatedMS
	p = NewPlan(stateOf(true, 1, 10))
	p.Refuse(timeless)
	require.Empty(t, p.Moves, "an older epoch")
	require.EqualValues(t, MaxMomentMS, p.Refused[0].CreatedMS, "a time that every store can hold")
}
