package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

const noonMS = 1_794_398_400_345

func bucketNo(number int) sale.Bucket { return sale.Bucket{Sale: "eleven", Number: number} }

func shelfNo(number int, sku string) sale.Shelf {
	return sale.Shelf{Bucket: bucketNo(number), SKU: sku}
}

// phones is the shelf of the SKU that most tests sell.
func phones(number int) sale.Shelf { return shelfNo(number, "phone") }

// stateOf is the state of buckets 0, 1, … with these units of the phone, all open in epoch 1, of which nothing else is known.
func stateOf(closely bool, limit int, loaded ...int64) *State {
	buckets := map[sale.Bucket]*Row{}
	for number := range loaded {
		row := &Row{Currency: "CNY", PaymentTTL: 900}
		row.BucketRow = sale.BucketRow{Bucket: bucketNo(number), Epoch: 1, State: sale.BucketOpen}
		buckets[row.Bucket] = row
	}
	return shelve(NewState(buckets, map[sale.Shelf]*Units{}, noonMS+5, closely), "phone", 1, limit, loaded...)
}

// shelve adds the units of a SKU to the buckets 0, 1, … of a state.
func shelve(s *State, sku string, number, limit int, loaded ...int64) *State {
	for bucket, units := range loaded {
		s.Stock[shelfNo(bucket, sku)] = &Units{
			ShelfCounters: sale.ShelfCounters{SKU: sku, Loaded: units}, Number: number, Limit: limit,
		}
	}
	return s
}

// ids makes order ids that no other test of the run has.
type ids struct{ last sale.OrderID }

// one returns an order of phones.
func (i *ids) one(buyer string, quantity int) sale.RecordOrder {
	return i.order(buyer, line("phone", quantity))
}

func (i *ids) order(buyer string, lines ...sale.Line) sale.RecordOrder {
	i.last++
	return sale.RecordOrder{OrderID: i.last, Lines: lines, Buyer: buyer}
}

func (i *ids) crowd(n int) []sale.RecordOrder {
	orders := make([]sale.RecordOrder, n)
	for k := range orders {
		orders[k] = i.one(fmt.Sprintf("buyer-%d", i.last+1), 1)
	}
	return orders
}

func line(sku string, quantity int) sale.Line {
	return sale.Line{SKU: sku, Quantity: quantity, UnitPriceCents: 129900}
}

func batch(number int, epoch, sequence int64, orders ...sale.RecordOrder) *sale.Batch {
	return &sale.Batch{
		Bucket: bucketNo(number), Epoch: epoch, Sequence: sequence, BatchID: orders[0].OrderID, CreatedMS: noonMS, Orders: orders,
	}
}

// transfer moves phones.
func transfer(from, to int, epoch, sequence, units int64) *sale.Transfer {
	return transferOf(from, to, epoch, sequence, sale.SKUUnits{SKU: "phone", Units: units})
}

func transferOf(from, to int, epoch, sequence int64, units ...sale.SKUUnits) *sale.Transfer {
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
