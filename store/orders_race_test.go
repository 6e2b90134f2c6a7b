package store

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// refusal reports whether an error is the answer that another move was faster.
func refusal(err error) bool {
	var paid *sale.PaidError
	return statusIn(err) != "" || errors.As(err, &paid)
}

// Payment, cancellation and expiry of the same orders at once, beside settlement of new ones: one call wins each order, only
// that one succeeds, and units go back once.
func TestPayCancelAndExpireAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const rounds, each = 4, 25
		bucket := phone(t, s, 10_000, 1)
		for round := range int64(rounds) {
			due := unpaid(t, s, bucket, 100*round+1, each)
			var paid, cancelled [each]atomic.Int64
			err := together(5, func(i int) error {
				switch i {
				case 0, 1:
					for k := range due {
						_, err := s.PayOrder(t.Context(), due[k].OrderID, []string{"p-0", "p-1"}[i])
						switch {
						case err == nil:
							paid[k].Add(1)
						case !refusal(err):
							return err
						}
					}
				case 2:
					for k := len(due) - 1; k >= 0; k-- {
						_, err := s.CancelOrder(t.Context(), due[k].OrderID, sale.ReasonBuyer, due[k].Buyer)
						switch {
						case err == nil:
							cancelled[k].Add(1)
						case !refusal(err):
							return err
						}
					}
				case 3:
					for range 5 {
						if _, err := s.ExpireOrders(t.Context(), 7, 0); err != nil {
							return err
						}
					}
				case 4:
					for n := range int64(5) {
						if _, err := s.Settle(t.Context(), []sale.Delivery{batch(bucket, 1, 100*round+2+n,
							crowd(20)...)}); err != nil {
							return err
						}
					}
				}
				return nil
			})
			require.NoError(t, err)
			for k := range due {
				switch order(t, s, due[k].OrderID).Status {
				case sale.StatusPaid:
					paid[k].Add(-1)
				case sale.StatusCancelled:
					cancelled[k].Add(-1)
				}
				require.Zero(t, paid[k].Load(), "order %d was paid once or not at all", k)
				require.Zero(t, cancelled[k].Load(), "order %d", k)
			}
			expireDue(t, s, each)
		}
		agreesAfterMoves(t, s, bucket)
	})
}

// agreesAfterMoves checks a bucket's counters against its order rows, its outbox and its events.
func agreesAfterMoves(t *testing.T, s *Store, bucket sale.Bucket) {
	t.Helper()
	b := countersOf(t, s, bucket)
	gone := count(t, s, "SELECT COALESCE(SUM(quantity), 0) FROM orders WHERE status IN ('cancelled', 'expired')")
	require.EqualValues(t, gone, b.Released)
	require.EqualValues(t, gone, b.GivenEpoch)
	var units int64
	for number := int64(1); ; {
		rows := waiting(t, s, bucket)
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			require.Equal(t, number, row.Number)
			number++
			units += unitsGiven(row)
		}
		done(t, s, bucket, 1, number-1, 1_000_000+number)
	}
	require.EqualValues(t, gone, units, "every unit goes back once")
	told := map[sale.OrderID][]sale.OrderStatus{}
	for _, o := range drained(t, s) {
		told[o.OrderID] = append(told[o.OrderID], o.Status)
	}
	require.NoError(t, s.EachOrder(t.Context(), bucket.Sale, func(o sale.Order) error {
		wanted := []sale.OrderStatus{sale.StatusConfirmed}
		if o.Status != sale.StatusConfirmed {
			wanted = append(wanted, o.Status)
		}
		require.Equal(t, wanted, told[o.OrderID], "order %d", o.OrderID)
		return nil
	}))
}

// The same order cancelled, and the same order paid, many times at once.
func TestSameMoveAtOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		orders := crowd(2)
		settle(t, s, batch(bucket, 1, 1, orders...))
		require.NoError(t, together(6, func(i int) error {
			if _, err := s.CancelOrder(t.Context(), orders[0].OrderID, sale.ReasonShop, ""); err != nil {
				return err
			}
			_, err := s.PayOrder(t.Context(), orders[1].OrderID, "p")
			return err
		}))
		require.EqualValues(t, 1, countersOf(t, s, bucket).Released)
		agreesAfterMoves(t, s, bucket)
	})
}

// Rebuilds beside cancellations and expiries: a load has the units of the stock row, and no outbox row outlives its epoch.
func TestReleasesBesideRebuilds(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1000, 1)
		orders := crowd(60)
		settle(t, s, batch(bucket, 1, 1, orders...))
		require.NoError(t, together(3, func(i int) error {
			if i == 2 {
				for range 6 {
					if err := rebuildOnce(t.Context(), s, bucket); err != nil {
						return err
					}
				}
				return nil
			}
			for k := i; k < len(orders); k += 2 {
				if _, err := s.CancelOrder(t.Context(), orders[k].OrderID, sale.ReasonShop, ""); err != nil {
					return err
				}
			}
			return nil
		}))
		b := countersOf(t, s, bucket)
		require.EqualValues(t, 60, b.Released)
		var given int64
		for _, row := range waiting(t, s, bucket) {
			require.Equal(t, b.Epoch, row.Epoch)
			given += unitsGiven(row)
		}
		require.Equal(t, b.GivenEpoch, given)
	})
}
