package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

const noonMS = 1_794_398_400_345

func bucketNo(number int) sale.Bucket {
	return sale.Bucket{Sale: "eleven", SKU: "phone", Number: number}
}

// stateOf is the state of buckets 0, 1, … with these units, all open in epoch 1, of which nothing else is known.
func stateOf(closely bool, limit int, loaded ...int64) *State {
	stock := map[sale.Bucket]*Row{}
	for number, units := range loaded {
		row := &Row{Limit: limit, PriceCents: 129900, Currency: "CNY", PaymentTTL: 900}
		row.BucketRow = sale.BucketRow{Bucket: bucketNo(number), Epoch: 1, State: sale.BucketOpen}
		row.Loaded = units
		stock[row.Bucket] = row
	}
	return NewState(stock, noonMS+5, closely)
}

// ids makes order ids that no other test of the run has.
type ids struct{ last sale.OrderID }

func (i *ids) one(buyer string, quantity int) sale.RecordOrder {
	i.last++
	return sale.RecordOrder{OrderID: i.last, Quantity: quantity, Buyer: buyer}
}

func (i *ids) crowd(n int) []sale.RecordOrder {
	orders := make([]sale.RecordOrder, n)
	for k := range orders {
		orders[k] = i.one(fmt.Sprintf("buyer-%d", i.last+1), 1)
	}
	return orders
}

func batch(number int, epoch, sequence int64, orders ...sale.RecordOrder) *sale.Batch {
	return &sale.Batch{
		Bucket: bucketNo(number), Epoch: epoch, Sequence: sequence, BatchID: orders[0].OrderID, CreatedMS: noonMS, Orders: orders,
	}
}

func transfer(from, to int, epoch, sequence, units int64) *sale.Transfer {
	return &sale.Transfer{
		Bucket: bucketNo(from), Epoch: epoch, Sequence: sequence, TransferID: sale.OrderID(1<<40 + sequence), CreatedMS: noonMS,
		To: to, Units: units,
	}
}

func settled(state *State, batches ...*sale.Batch) *Plan {
	p := NewPlan(state)
	for _, b := range batches {
		p.Settle(b)
	}
	return p
}

func TestMarksTellRecordsApart(t *testing.T) {
	state := stateOf(true, 1, 10)
	first, other := Mark{WriteID{bucketNo(0), 1, 4}, 7}, Mark{WriteID{bucketNo(0), 1, 4}, 8}
	require.False(t, state.Settled(first))
	remembers := func(m Mark, wantFork, wantMarked bool) {
		fork, marked := state.remember(m)
		require.Equal(t, []bool{wantFork, wantMarked}, []bool{fork, marked})
		require.True(t, state.Settled(m))
	}
	remembers(first, false, false)
	require.False(t, state.Settled(other), "another record at the same place")
	remembers(other, true, false)
	remembers(other, true, true)
	remembers(first, true, true)
}

// A marker covers only the orders of its batch.
func TestSettledBatchIsWhole(t *testing.T) {
	var made ids
	state := stateOf(true, 1, 10)
	ann, bob := made.one("ann", 1), made.one("bob", 1)
	short, whole := batch(0, 1, 4, ann), batch(0, 1, 4, ann, bob)
	require.Equal(t, MarkOfBatch(short), MarkOfBatch(whole))
	state.Orders[ann.OrderID] = true
	require.False(t, state.SettledBatch(short), "nothing is marked")
	state.Markers[MarkOfBatch(short).WriteID] = short.BatchID
	require.True(t, state.SettledBatch(short))
	require.False(t, state.SettledBatch(whole))
	state.Orders[bob.OrderID] = true
	require.True(t, state.SettledBatch(whole))
}

func TestMarksOfAllWrites(t *testing.T) {
	var made ids
	b := batch(2, 3, 4, made.one("ann", 1))
	require.Equal(t, Mark{WriteID{bucketNo(2), 3, 4}, b.BatchID}, MarkOfBatch(b))
	move := transfer(2, 0, 3, 5, 9)
	require.Equal(t, Mark{WriteID{bucketNo(2), 3, 5}, move.TransferID}, MarkOfTransfer(move))
	applied := sale.Applied{Bucket: bucketNo(2), Epoch: 3, Number: 12, Sequence: 6}
	require.Equal(t, Mark{WriteID{bucketNo(2), 3, 6}, -12}, MarkOfApplied(&applied), "no record has a negative id")
}

func TestBucketsOfRecords(t *testing.T) {
	var made ids
	require.Empty(t, Buckets([]sale.Record{{Fence: "f"}}))
	require.ElementsMatch(t, []sale.Bucket{bucketNo(0), bucketNo(1), bucketNo(2)}, Buckets([]sale.Record{
		{Batch: batch(0, 1, 1, made.one("ann", 1))}, {Transfer: transfer(0, 1, 1, 2, 3)}, {Transfer: transfer(2, 1, 1, 1, 3)},
	}))
}
