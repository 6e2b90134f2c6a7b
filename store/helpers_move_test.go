package store

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// transfer is a record of phones on their way to another bucket of the sale.
func transfer(from sale.Bucket, to int, epoch, sequence, units int64) sale.Delivery {
	return transferOf(from, to, epoch, sequence, sale.SKUUnits{SKU: "phone", Units: units})
}

func transferOf(from sale.Bucket, to int, epoch, sequence int64, units ...sale.SKUUnits) sale.Delivery {
	made := &sale.Transfer{
		Bucket: from, Epoch: epoch, Sequence: sequence, TransferID: sale.OrderID(1<<40 + lastOrder.Add(1)), CreatedMS: noon,
		To: to, Units: units,
	}
	return sale.Delivery{Raw: sale.AppendTransfer(nil, made), Record: sale.Record{Transfer: made}}
}

// statusIn returns the status that a refusal names, "" where the error is none.
func statusIn(err error) sale.OrderStatus {
	var wrong *sale.StatusError
	if errors.As(err, &wrong) {
		return wrong.Status
	}
	return ""
}

// drained reads, in pages, and forgets all events and returns their orders one after the other. No page names an order
// twice.
func drained(t testing.TB, s database) []sale.Order {
	t.Helper()
	var told []sale.Order
	for {
		page, err := s.OrderEvents(t.Context(), 10)
		require.NoError(t, err)
		if len(page) == 0 {
			return told
		}
		var ids []int64
		seen := map[sale.OrderID]bool{}
		for _, e := range page {
			ids = append(ids, e.ID)
			for _, o := range e.Orders {
				require.False(t, seen[o.OrderID], "order %d is in a page twice", o.OrderID)
				seen[o.OrderID] = true
				told = append(told, o)
			}
		}
		require.NoError(t, s.EventsPublished(t.Context(), ids))
	}
}

// credit is the outbox row that credits phones, of a sale with limit 1.
func credit(bucket sale.Bucket, number, units int64) sale.OutboxRow {
	return sale.OutboxRow{
		Bucket: bucket, Number: number, Epoch: 1, Kind: sale.OutboxCredit,
		Lines: []sale.OutboxLine{{SKU: "phone", Units: units, Number: 1, Limit: 1}},
	}
}

// waiting returns the outbox of a bucket.
func waiting(t testing.TB, s *Store, bucket sale.Bucket) []sale.OutboxRow {
	t.Helper()
	all, err := s.Outbox(t.Context(), 1000)
	require.NoError(t, err)
	var rows []sale.OutboxRow
	for _, row := range all {
		if row.Bucket == bucket {
			rows = append(rows, row)
		}
	}
	return rows
}
