package store

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestOrdersByID(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 2000, 1)
		orders := crowd(maxIDs + 3) // more than one statement asks for
		settle(t, s, batch(bucket, 1, 1, orders...))
		ids := []sale.OrderID{1, 2}
		for _, o := range orders {
			ids = append(ids, o.OrderID)
		}
		slices.Reverse(ids)
		ids = append(ids, ids[0])
		found, err := s.Orders(ctx, ids)
		require.NoError(t, err)
		require.Len(t, found, len(orders), "unknown ids are omitted, repeated ids occur once")
		for i := range found {
			require.Equal(t, orders[i].OrderID, found[i].OrderID, "sorted")
			require.Equal(t, orders[i].Buyer, found[i].BuyerID)
		}
		none, err := s.Orders(ctx, nil)
		require.NoError(t, err)
		require.Empty(t, none)
		_, err = s.Order(ctx, 1)
		require.ErrorIs(t, err, sale.ErrNotFound)
	})
}

func TestBuyerOrders(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		bucket := phone(t, s, 100, 3)
		first, second := one("ann", 1), one("ann", 2)
		settle(t, s, batch(bucket, 1, 1, first, one("Ann", 1)), batch(bucket, 1, 2, second))
		mine, err := s.BuyerOrders(ctx, "eleven", "phone", "ann", 0, 10)
		require.NoError(t, err)
		require.Len(t, mine, 2, "case counts")
		require.Equal(t, first.OrderID, mine[0].OrderID)
		require.Equal(t, second.Lines, mine[1].Lines)
		none, err := s.BuyerOrders(ctx, "eleven", "case", "ann", 0, 10)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestBuyerOrdersAreBounded(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1, 1)
		var ids []sale.OrderID
		for sequence := range int64(2) {
			orders := make([]sale.RecordOrder, sale.MaxRecordOrders)
			for i := range orders {
				orders[i] = one("ann", 1)
				ids = append(ids, orders[i].OrderID)
			}
			settle(t, s, batch(bucket, 1, sequence, orders...))
		}
		var read []sale.OrderID
		for after := sale.OrderID(0); ; after = read[len(read)-1] {
			page, err := s.BuyerOrders(t.Context(), "eleven", "phone", "ann", after, 700)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			require.LessOrEqual(t, len(page), 700)
			for _, o := range page {
				read = append(read, o.OrderID)
			}
		}
		require.Equal(t, ids, read, "page by page all of them, in their order")
	})
}

// A paid order counts like a confirmed one and has its payment; after a cancelled one the buyer may buy again.
func TestOrdersThatShopsHaveMoved(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		paid, cancelled := one("ann", 1), one("bob", 1)
		settle(t, s, batch(bucket, 1, 1, paid, cancelled))
		_, err := s.PayOrder(t.Context(), paid.OrderID, "p-1")
		require.NoError(t, err)
		_, err = s.CancelOrder(t.Context(), cancelled.OrderID, sale.ReasonShop, "")
		require.NoError(t, err)
		require.Equal(t, "p-1", order(t, s, paid.OrderID).PaymentID)

		again := one("bob", 1)
		require.Equal(t, sale.Settlement{Rows: 1}, settle(t, s, batch(bucket, 1, 2, again)))
		_, err = s.CloseBuckets(t.Context(), []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.NoError(t, err)
		loads, err := s.BeginLoads(t.Context(), []sale.BucketRow{countersOf(t, s, bucket).BucketRow})
		require.NoError(t, err)
		require.ElementsMatch(t, inRedis([]string{"phone"}, paid, again), loads[0].Owners)
	})
}

func TestEachOrder(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		settled, waiting := batch(bucket, 1, 1, crowd(5)...), batch(bucket, 1, 2, crowd(2)...)
		settle(t, s, settled, batch(bucket, 1, 3, one(settled.Record.Batch.Orders[0].Buyer, 1))) // beyond the limit
		// of the first the replay has not been marked yet
		add(t, s, letter(settled, 1), letter(waiting, 2))
		other := selling(t, s, draft("other", 1, item("phone", 10)))[0].Bucket
		settle(t, s, batch(other, 1, 1, crowd(1)...))

		statuses := map[sale.OrderStatus]int{}
		seen := map[sale.OrderID]bool{}
		require.NoError(t, s.EachOrder(t.Context(), "eleven", func(o sale.Order) error {
			require.False(t, seen[o.OrderID], "order %d occurs twice", o.OrderID)
			seen[o.OrderID] = true
			statuses[o.Status]++
			return nil
		}))
		require.Equal(t, map[sale.OrderStatus]int{"confirmed": 5, "refused": 1, "queued": 2}, statuses)
		require.NoError(t, s.EachOrder(t.Context(), "nowhere", func(sale.Order) error { return errors.New("never") }))
	})
}

func TestEachOrderStopsAtAnError(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		enough := errors.New("enough")
		stop := func(sale.Order) error { return enough }
		add(t, s, letter(batch(bucket, 1, 2, crowd(2)...), 2))
		require.ErrorIs(t, s.EachOrder(t.Context(), "eleven", stop), enough, "among what waits")
		settle(t, s, batch(bucket, 1, 1, crowd(5)...))
		require.ErrorIs(t, s.EachOrder(t.Context(), "eleven", stop), enough, "among the rows")
	})
}
