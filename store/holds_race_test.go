package store

import (
	"context"
	"database/sql"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// Freeze against expiry, payment, cancellation and settlement: whatever the moment of the freeze, each order has one end, and
// after the answer of the freeze none expires.
func TestFreezeBesideExpiryPaymentAndCancellation(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const rounds, each = 4, 40
		bucket := phone(t, s, 10_000, 1)
		for round := range int64(rounds) {
			due := unpaid(t, s, bucket, 100*round+1, each)
			var paid, cancelled [each]atomic.Int64
			var after atomic.Int64 // expired orders at the answer of the freeze
			err := together(5, func(i int) error {
				switch i {
				case 0:
					for k := range due {
						if _, err := s.PayOrder(t.Context(), due[k].OrderID, "p"); err == nil {
							paid[k].Add(1)
						} else if !refusal(err) {
							return err
						}
					}
				case 1:
					for k := len(due) - 1; k >= 0; k-- {
						_, err := s.CancelOrder(t.Context(), due[k].OrderID, sale.ReasonShop, "")
						if err == nil {
							cancelled[k].Add(1)
						} else if !refusal(err) {
							return err
						}
					}
				case 2:
					for range 8 {
						if _, err := s.ExpireOrders(t.Context(), 3, 0); err != nil {
							return err
						}
					}
				case 3:
					if _, err := s.FreezeHolds(t.Context(), "eleven", ""); err != nil {
						return err
					}
					after.Store(int64(count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'expired'")))
				case 4:
					d := batch(bucket, 1, 100*round+2, crowd(20)...)
					d.Record.Batch.CreatedMS = time.Now().UnixMilli()
					_, err := s.Settle(t.Context(), []sale.Delivery{d})
					return err
				}
				return nil
			})
			require.NoError(t, err)
			require.EqualValues(t, after.Load(), count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'expired'"),
				"an order has expired after the answer of the freeze")
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
			thawed(t, s, beginThaw(t, s, "eleven"))
			overdue(t, s)
			expireDue(t, s, each)
		}
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'confirmed' AND due_at <> pay_by"))
	})
}

// Thaws by several processes, beside settlement of orders that were pressed before, payments, cancellations and extensions: every
// order that is confirmed in the end has moved by exactly the time of the freeze.
func TestThawBesideEverything(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const old, late = 1500, 30
		bucket := phone(t, s, 100_000, 1)
		pressed := sale.TimeMillis(time.Now().Add(-10 * time.Second).UnixMilli())
		made := func(n int) []sale.Delivery {
			var all []sale.Delivery
			for sequence := range int64(n) {
				d := batch(bucket, 1, lastOrder.Add(1)+sequence, crowd(50)...)
				d.Record.Batch.CreatedMS = pressed.UnixMilli()
				all = append(all, d)
			}
			return all
		}
		first := made(old / 50)
		settle(t, s, first...)
		freeze(t, s, "eleven")
		frozenAt(t, s, "eleven", time.Hour)
		ids := func(i, from int) sale.OrderID { return first[i%len(first)].Record.Batch.Orders[from].OrderID }
		err := together(6, func(i int) error {
			switch i {
			case 0, 1, 2: // two requests and the reaper
				thaw, err := s.BeginThaw(t.Context(), "eleven")
				if err != nil {
					return nil //nolint:nilerr // another one has ended the thaw
				}
				pages := 0
				return endOf(t.Context(), s, thaw, &pages)
			case 3:
				for _, d := range made(late) {
					if _, err := s.Settle(t.Context(), []sale.Delivery{d}); err != nil {
						return err
					}
				}
			case 4:
				for k := range 20 {
					if _, err := s.PayOrder(t.Context(), ids(k, 1), "p"); err != nil {
						return err
					}
					if _, err := s.CancelOrder(t.Context(), ids(k, 2), sale.ReasonShop, ""); err != nil {
						return err
					}
				}
			case 5:
				for range 5 {
					if _, err := s.ExpireOrders(t.Context(), 100, 0); err != nil {
						return err
					}
				}
			}
			return nil
		})
		require.NoError(t, err)
		if held, err := s.Sale(t.Context(), "eleven"); held.HoldsFrozenSince != nil { // a thaw that came after a late order's
			require.NoError(t, err)
			thawed(t, s, beginThaw(t, s, "eleven"))
		}
		var shift int64
		require.NoError(t, s.db.QueryRow("SELECT SUM(shift_ms) FROM thaws").Scan(&shift))
		require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM thaws"))
		moved := moment{sale.TimeMillis(pressed.UnixMilli() + 900_000 + shift)}
		require.Equal(t, old+50*late-40, count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'confirmed'"))
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'confirmed' AND pay_by <> ?", moved))
		extensionsAreTold(t, s)
		ledgerAgrees(t, s, bucket)
	})
}

// extensionsAreTold drains the events: those of each order have rising payment times, and the last one is the row's.
func extensionsAreTold(t *testing.T, s *Store) {
	t.Helper()
	last := map[sale.OrderID]sale.Order{}
	for _, o := range drained(t, s) {
		if before, told := last[o.OrderID]; told {
			require.False(t, o.PayBy.Before(before.PayBy.Time), "order %d", o.OrderID)
		}
		last[o.OrderID] = o
	}
	require.NoError(t, s.EachOrder(t.Context(), "eleven", func(o sale.Order) error {
		require.Equal(t, o, last[o.OrderID])
		return nil
	}))
}

// An extension against the expiry of the order: one of them wins.
func TestExtensionBesideExpiry(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 1000, 1)
		due := unpaid(t, s, bucket, 1, 60)
		to := sale.TimeMillis(time.Now().Add(time.Hour).UnixMilli())
		var extended [60]bool
		require.NoError(t, together(3, func(i int) error {
			if i == 0 {
				for range 20 {
					if _, err := s.ExpireOrders(t.Context(), 3, 0); err != nil {
						return err
					}
				}
				return nil
			}
			for k := i - 1; k < len(due); k += 2 {
				_, err := s.ExtendOrder(t.Context(), due[k].OrderID, to)
				if extended[k] = err == nil; err != nil && statusIn(err) != sale.StatusExpired {
					return err
				}
			}
			return nil
		}))
		for k := range due {
			o := order(t, s, due[k].OrderID)
			require.Equal(t, extended[k], o.Status == sale.StatusConfirmed)
			require.Equal(t, extended[k], *o.PayBy == to)
		}
		agreesAfterMovesWithExtensions(t, s, bucket)
	})
}

func agreesAfterMovesWithExtensions(t *testing.T, s *Store, bucket sale.Bucket) {
	t.Helper()
	gone := count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'expired'")
	require.EqualValues(t, gone, countersOf(t, s, bucket).Released, "units go back once")
	ledgerAgrees(t, s, bucket)
}

// The time limit of a request ends between two pages: what it has moved stays moved, and the next one goes on.
func TestThawInPiecesOfTime(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10_000, 1)
		for sequence := range int64(3) {
			d := batch(bucket, 1, sequence+1, crowd(1000)...)
			d.Record.Batch.CreatedMS = time.Now().Add(-time.Second).UnixMilli()
			settle(t, s, d)
		}
		freeze(t, s, "eleven")
		frozenAt(t, s, "eleven", time.Minute)
		began := beginThaw(t, s, "eleven")
		half, err := s.ThawOrders(t.Context(), began)
		require.NoError(t, err)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = s.ThawOrders(over, half)
		require.ErrorIs(t, err, context.Canceled)
		under, err := s.Thaws(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, under, 1)
		thawed(t, s, under[0])
		require.Zero(t, count(t, s, "SELECT COUNT(*) FROM orders WHERE thaw_no <> 1 OR first_pay_by IS NULL"))
		require.Equal(t, 1, count(t, s, "SELECT COUNT(DISTINCT CASE WHEN pay_by > first_pay_by THEN 1 ELSE 0 END) FROM orders"))
		under, err = s.Thaws(t.Context(), 0)
		require.NoError(t, err)
		require.Empty(t, under)
	})
}

// An expiry has found its orders when the sale is frozen: it finds the freeze in the bucket row that it locks.
func TestExpiryThatFoundItsOrdersBeforeTheFreeze(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 10, 1)
		unpaid(t, s, bucket, 1, 3)
		l, err := s.lookForDue(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, l.found, 3)
		freeze(t, s, "eleven")
		require.NoError(t, s.transact(t.Context(), func(tx *sql.Tx) error {
			expired, err := s.expireOrders(t.Context(), tx, l.found)
			require.Zero(t, expired)
			return err
		}))
		require.Equal(t, 3, count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'confirmed'"))
	})
}
