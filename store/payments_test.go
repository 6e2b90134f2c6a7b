package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// lastPaid sets how long ago a sale had its last payment.
func lastPaid(t *testing.T, s *Store, id string, ago time.Duration) {
	t.Helper()
	result, err := s.db.Exec("UPDATE payments_seen SET paid_ms = ? WHERE sale_id = ?", time.Now().Add(-ago).UnixMilli(), id)
	require.NoError(t, err)
	changed, err := result.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 1, changed, "%s had a payment", id)
}

func expireOr(t *testing.T, s *Store, freezeAfter time.Duration) sale.Expiry {
	t.Helper()
	done, err := s.ExpireOrders(t.Context(), 100, freezeAfter)
	require.NoError(t, err)
	return done
}

// A sale whose payments have stopped is frozen before its first order expires. One without any payment, and one with a payment
// of late, are not.
func TestExpiryFreezesWhatIsNoLongerPaid(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const after = time.Minute
		buckets := map[string]sale.Bucket{}
		for _, id := range []string{"silent", "paid", "never"} {
			buckets[id] = selling(t, s, draft(id, 1, item("phone", 100)))[0].Bucket
		}
		for _, id := range []string{"silent", "paid"} {
			pay(t, s, unpaid(t, s, buckets[id], 1, 1)[0].OrderID, "p")
		}
		lastPaid(t, s, "silent", after+time.Second)
		lastPaid(t, s, "paid", after-10*time.Second)
		for _, bucket := range buckets {
			unpaid(t, s, bucket, 2, 3)
		}
		require.Equal(t, sale.Expiry{Orders: 6, Frozen: []string{"silent"}}, expireOr(t, s, after))
		require.Equal(t, sale.Expiry{}, expireOr(t, s, after), "it is frozen once")
		require.Equal(t, 3, count(t, s, "SELECT COUNT(*) FROM orders WHERE sale_id = 'silent' AND status = 'confirmed'"))
		frozen, err := s.Sale(t.Context(), "silent")
		require.NoError(t, err)
		require.NotNil(t, frozen.HoldsFrozenSince)
		entries := holdEntries(t, s, "silent")
		require.Len(t, entries, 1)
		require.Equal(t, []any{"engine", sale.RoleEngine}, []any{entries[0].Who, entries[0].Role})
		require.Contains(t, string(entries[0].After), `"reason":"orders fall due and the last payment was 1m1s ago"`)

		thawed(t, s, beginThaw(t, s, "silent"))
		overdue(t, s)
		require.Equal(t, sale.Expiry{Orders: 3}, expireOr(t, s, after), "the time counts anew after a thaw")
	})
}

func TestExpiryFreezesNothingWhenSwitchedOff(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		pay(t, s, unpaid(t, s, bucket, 1, 1)[0].OrderID, "p")
		lastPaid(t, s, "eleven", time.Hour)
		unpaid(t, s, bucket, 2, 3)
		require.Equal(t, sale.Expiry{Orders: 3}, expireOr(t, s, 0))
	})
}

// Payments are noted by the transaction that pays, remembered ones too, and not for each of many.
func TestPaymentsAreSeen(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		seen := func() (ms int64) {
			require.NoError(t, s.db.QueryRow("SELECT COALESCE(MAX(paid_ms), 0) FROM payments_seen").Scan(&ms))
			return ms
		}
		bucket := phone(t, s, 100, 1)
		orders := crowd(3)
		settle(t, s, batch(bucket, 1, 1, orders...))
		require.Zero(t, seen())
		_, err := s.PayOrder(t.Context(), 12345, "p")
		require.Error(t, err)
		require.Zero(t, seen(), "it pays nothing")
		pay(t, s, orders[0].OrderID, "p")
		require.InDelta(t, time.Now().UnixMilli(), seen(), 10_000)
		lastPaid(t, s, "eleven", time.Hour)
		first := seen()
		s.payments.noted("eleven") // just now
		pay(t, s, orders[1].OrderID, "p")
		require.Equal(t, first, seen(), "another one has just been noted")
		s.payments.last["eleven"] = time.Now().Add(-time.Minute)
		pay(t, s, orders[2].OrderID, "p")
		require.Greater(t, seen(), first)

		lastPaid(t, s, "eleven", time.Hour)
		early := one("early", 1)
		remembered, err := s.RememberPayment(t.Context(), early.OrderID, "p")
		require.NoError(t, err)
		require.True(t, remembered)
		settle(t, s, batch(bucket, 1, 2, early))
		require.Greater(t, seen(), first+1000)
		require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM payments_seen"))
	})
}

// Orders that were paid before the table was there count as payments.
func TestPaymentsOfBeforeTheMigration(t *testing.T) {
	for _, driver := range []string{DriverMySQL, DriverSQLite} {
		t.Run(driver, func(t *testing.T) {
			s := unmigrated(t, driver)
			provider, err := s.migrator()
			require.NoError(t, err)
			_, err = provider.UpTo(t.Context(), 6)
			require.NoError(t, err)
			_, err = s.db.Exec("INSERT INTO sales (sale_id, state, name, starts_at, ends_at, currency, per_buyer_limit, "+
				"per_buyer_sale_limit, payment_ttl_s, buckets, eligibility, version) VALUES ('eleven', 'open', 'Eleven', ?, ?, "+
				"'CNY', 1, 0, 900, 1, 'open', 1)", moment{opening}, moment{closing})
			require.NoError(t, err)
			for id, at := range []string{"2026-11-11 10:00:00.123", "2026-11-11 10:00:01.456"} {
				_, err = s.db.Exec("INSERT INTO orders (order_id, sale_id, sku, buyer_id, quantity, status, total_cents, "+
					"line_count, currency, created_at, updated_at, bucket) "+
					"VALUES (?, 'eleven', 'phone', 'ann', 1, 'paid', 5, 1, 'CNY', ?, ?, 0)",
					id+1, at, at)
				require.NoError(t, err)
			}
			require.NoError(t, s.Migrate(t.Context()))
			var ms int64
			require.NoError(t, s.db.QueryRow("SELECT paid_ms FROM payments_seen WHERE sale_id = 'eleven'").Scan(&ms))
			require.Equal(t, time.Date(2026, 11, 11, 10, 0, 1, 456e6, time.UTC).UnixMilli(), ms)
		})
	}
}
