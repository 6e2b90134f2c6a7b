package store

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func cancel(t testing.TB, s *Store, id sale.OrderID) sale.Order {
	t.Helper()
	got, err := s.CancelOrder(t.Context(), id, sale.ReasonShop, "")
	require.NoError(t, err)
	return got
}

func pay(t testing.TB, s *Store, id sale.OrderID, payment string) sale.Order {
	t.Helper()
	got, err := s.PayOrder(t.Context(), id, payment)
	require.NoError(t, err)
	return got
}

func TestCancelGivesUnitsBackOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 2, 1)
		ann, bob := one("ann", 1), one("bob", 1)
		settle(t, s, batch(bucket, 1, 1, ann, bob))
		for range 2 { // the second time changes nothing
			got, err := s.CancelOrder(t.Context(), ann.OrderID, sale.ReasonBuyer, "ann")
			require.NoError(t, err)
			require.Equal(t, order(t, s, ann.OrderID), got)
			require.Equal(t, sale.StatusCancelled, got.Status)
			require.Equal(t, sale.ReasonBuyer, got.Reason)
			require.False(t, got.UpdatedAt.Before(got.CreatedAt.Time))
			b := countersOf(t, s, bucket)
			require.EqualValues(t, 2, b.Settled, "settled and released only grow")
			require.EqualValues(t, 1, b.Released)
			require.EqualValues(t, 1, b.GivenEpoch)
			require.Equal(t, sale.BucketOpen, b.State)
			require.Equal(t, []sale.OutboxRow{{
				Bucket: bucket, Number: 1, Epoch: 1, Kind: sale.OutboxRelease, Orders: given(ann),
			}}, waiting(t, s, bucket))
		}
		require.Equal(t, sale.Settlement{Rows: 1}, settle(t, s, batch(bucket, 1, 2, one("ann", 1))),
			"the unit is free, and ann may buy again")
		ledgerAgrees(t, s, bucket)
	})
}

func TestCancelFreesTheLimit(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 3)
		first, second := one("ann", 2), one("ann", 1)
		settle(t, s, batch(bucket, 1, 1, first, second, one("bob", 3)))
		cancel(t, s, first.OrderID)
		require.Equal(t, 1, settle(t, s, batch(bucket, 1, 2, one("ann", 3))).Refused, "one unit is ann's still")
		require.Zero(t, settle(t, s, batch(bucket, 1, 3, one("ann", 2))).Refused)
		ledgerAgrees(t, s, bucket)
	})
}

func TestCancelOfWhatIsNotThere(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		ann := one("ann", 1)
		settle(t, s, batch(bucket, 1, 1, ann))
		d := batch(bucket, 1, 2, one("bob", 1))
		add(t, s, letter(d, 1))
		inLetter := d.Record.Batch.BatchID

		_, err := s.CancelOrder(ctx, 12345, sale.ReasonShop, "")
		require.ErrorIs(t, err, sale.ErrNotFound)
		_, err = s.CancelOrder(ctx, ann.OrderID, sale.ReasonBuyer, "eve")
		require.ErrorIs(t, err, sale.ErrNotFound, "to anyone else it does not exist")
		_, err = s.CancelOrder(ctx, inLetter, sale.ReasonBuyer, "eve")
		require.ErrorIs(t, err, sale.ErrNotFound)
		_, err = s.CancelOrder(ctx, inLetter, sale.ReasonBuyer, "bob")
		require.Equal(t, sale.StatusQueued, statusIn(err), "it waits in a dead letter")
		_, err = s.PayOrder(ctx, inLetter, "p")
		require.Equal(t, sale.StatusQueued, statusIn(err))
		_, err = s.PayOrder(ctx, 12345, "p")
		require.ErrorIs(t, err, sale.ErrNotFound)
		require.Equal(t, sale.StatusConfirmed, order(t, s, ann.OrderID).Status)
		require.Zero(t, countersOf(t, s, bucket).Released)
	})
}

// Status only moves forward: no call changes an order with a final status.
func TestEndedOrdersStay(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		orders := crowd(4)
		b := batch(bucket, 1, 1, append(orders, one(orders[0].Buyer, 1))...)
		b.Record.Batch.CreatedMS = longAgo
		settle(t, s, b)
		overdue(t, s)
		pay(t, s, orders[0].OrderID, "p-1")
		cancel(t, s, orders[1].OrderID)
		_, err := s.ExpireOrders(ctx, 10, 0)
		require.NoError(t, err)
		ended := map[sale.OrderStatus]sale.OrderID{
			sale.StatusPaid: orders[0].OrderID, sale.StatusCancelled: orders[1].OrderID, sale.StatusExpired: orders[2].OrderID,
			sale.StatusRefused: b.Record.Batch.Orders[4].OrderID,
		}
		before := countersOf(t, s, bucket)
		for status, id := range ended {
			was := order(t, s, id)
			require.Equal(t, status, was.Status)
			if _, err := s.CancelOrder(ctx, id, sale.ReasonShop, ""); status != sale.StatusCancelled {
				require.Equal(t, status, statusIn(err))
			}
			_, err := s.PayOrder(ctx, id, "p-2")
			require.Error(t, err, status)
			if status != sale.StatusPaid {
				require.Equal(t, status, statusIn(err))
			}
			expired, err := s.ExpireOrders(ctx, 10, 0)
			require.NoError(t, err)
			require.Zero(t, expired.Orders)
			require.Equal(t, was, order(t, s, id))
		}
		require.Equal(t, before, countersOf(t, s, bucket))
	})
}

func TestPay(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		ann := one("ann", 1)
		settle(t, s, batch(bucket, 1, 1, ann))
		before := countersOf(t, s, bucket)
		payment := strings.Repeat("p", 64)
		got := pay(t, s, ann.OrderID, payment)
		require.Equal(t, order(t, s, ann.OrderID), got)
		require.Equal(t, sale.StatusPaid, got.Status)
		require.Equal(t, payment, got.PaymentID)
		require.Equal(t, got, pay(t, s, ann.OrderID, payment), "the same payment again")
		_, err := s.PayOrder(ctx, ann.OrderID, "p-2")
		var paid *sale.PaidError
		require.ErrorAs(t, err, &paid)
		require.Equal(t, payment, paid.PaymentID)
		require.Equal(t, before, countersOf(t, s, bucket), "no stock moves")
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM orders WHERE due_at IS NOT NULL"))
		require.Equal(t, 1, settle(t, s, batch(bucket, 1, 2, one("ann", 1))).Refused, "a paid order counts")
	})
}

func TestMovesOfAnOrderFromTheFuture(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(2)
		b := batch(bucket, 1, 1, orders...)
		b.Record.Batch.CreatedMS = closing.UnixMilli()
		settle(t, s, b)
		for _, got := range []sale.Order{cancel(t, s, orders[0].OrderID), pay(t, s, orders[1].OrderID, "p")} {
			require.Equal(t, got.CreatedAt, got.UpdatedAt, "no order changes before it is made")
			require.Equal(t, got, order(t, s, got.OrderID))
		}
	})
}

// Cancelling works in every state of the bucket and of the sale; the row is stamped with the epoch in which it was decided.
func TestCancelWhileClosed(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 10, 1)
		orders := crowd(3)
		settle(t, s, batch(bucket, 1, 1, orders...))
		require.NoError(t, s.ReportLoss(ctx, bucket, 1, "gone"))
		_, err := s.SetState(ctx, "eleven", sale.StateClosed, sale.StateOpen)
		require.NoError(t, err)
		cancel(t, s, orders[0].OrderID)
		loads, err := s.BeginLoads(ctx, []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.NoError(t, err)
		require.EqualValues(t, 8, loads[0].Stock[0].Available)
		require.EqualValues(t, 1, loads[0].Outbox)
		require.Empty(t, waiting(t, s, bucket), "absorbed")
		cancel(t, s, orders[1].OrderID) // while it is loading
		rows := waiting(t, s, bucket)
		require.Len(t, rows, 1)
		require.EqualValues(t, 2, rows[0].Number, "numbers continue")
		require.EqualValues(t, 2, rows[0].Epoch)
		require.EqualValues(t, 1, countersOf(t, s, bucket).GivenEpoch)
		require.EqualValues(t, 2, countersOf(t, s, bucket).Released)
		ledgerAgrees(t, s, bucket)
	})
}

// Orders that gave their units back are loaded beside the owners: their keys still answer, and too many of them are refused.
func TestReleasedOrdersAreLoaded(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		keyed, plain, kept := one("ann", 1), one("bob", 1), one("cat", 1)
		keyed.Key = "a key"
		settle(t, s, batch(bucket, 1, 1, keyed, plain, kept))
		cancel(t, s, keyed.OrderID)
		cancel(t, s, plain.OrderID)
		require.NoError(t, s.ReportLoss(t.Context(), bucket, 1, "gone"))
		loads, err := s.BeginLoads(t.Context(), []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.NoError(t, err)
		require.Equal(t, inRedis([]string{"phone"}, kept), loads[0].Owners)
		require.ElementsMatch(t, inRedis([]string{"phone"}, keyed, plain), loads[0].Released)
	})
}
