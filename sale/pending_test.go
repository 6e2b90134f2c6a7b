package sale

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindPending(t *testing.T) {
	lines := []Line{{SKU: "phone", Quantity: 3, UnitPriceCents: 129900}, {SKU: "case", Quantity: 1}}
	batch := &Batch{
		Bucket: Bucket{Sale: "rush", Number: 3}, Epoch: 2, Sequence: 9, BatchID: 41, CreatedMS: 1_800_000_000_000,
		Orders: []RecordOrder{
			{OrderID: 41, Lines: lines, Buyer: "ann"}, {OrderID: 423, Lines: lines, Buyer: "bob", Key: "a key"},
		},
	}
	raw := AppendBatch(nil, batch)
	found, ok := FindPending(raw, 423)
	require.True(t, ok)
	require.Equal(t, PendingOrder{Bucket: batch.Bucket, RecordOrder: batch.Orders[1], CreatedMS: batch.CreatedMS}, found)
	for _, id := range []OrderID{42, 4, 23, 1, 9, 0} {
		_, ok := FindPending(raw, id)
		require.False(t, ok, "%d", id)
	}
	for _, other := range [][]byte{nil, AppendFence(nil, "f"), raw[:len(raw)-4],
		AppendTransfer(nil, &Transfer{TransferID: 423})} {
		_, ok := FindPending(other, 423)
		require.False(t, ok, "%q", other)
	}
	found.Status = StatusQueued
	s := &Sale{Currency: "CNY", PaymentTTL: 900, Items: []Item{{SKU: "phone", PriceCents: 1}}}
	require.Equal(t, Order{
		OrderID: 423, Status: StatusQueued, Sale: "rush", Lines: lines, Currency: "CNY", // the price is that of the record
		CreatedAt: TimeMillis(1_800_000_000_000), UpdatedAt: TimeMillis(1_800_000_000_000),
		BuyerID: "bob",
	}, withoutDeadline(found.Order(s)))
	require.Equal(t, int64(1_800_000_900_000), found.Order(s).PayBy.UnixMilli())
}

func withoutDeadline(o Order) Order {
	o.PayBy = nil
	return o
}
