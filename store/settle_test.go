package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestSettleWritesOrders(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(3)
		done := settle(t, s, batch(bucket, 1, 1, orders[:2]...), batch(bucket, 1, 2, orders[2]))
		require.Equal(t, sale.Settlement{Rows: 3}, done)

		b := books(t, s, bucket)
		require.EqualValues(t, 3, b.Settled)
		require.EqualValues(t, 3, b.SettledEpoch)
		require.Equal(t, sale.BucketOpen, b.State)
		ledgerAgrees(t, s, bucket)

		found := order(t, s, orders[0].OrderID)
		require.Equal(t, sale.Order{
			OrderID: orders[0].OrderID, Status: sale.StatusConfirmed, Sale: "eleven", SKU: "phone", Quantity: 1,
			UnitPriceCents: 129900, Currency: "CNY", CreatedAt: sale.TimeMillis(noon), UpdatedAt: found.UpdatedAt,
			PayBy: sale.PayBy(sale.TimeMillis(noon).Time, 900), BuyerID: orders[0].Buyer,
		}, found)
	})
}
