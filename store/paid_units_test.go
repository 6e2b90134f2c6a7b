package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// paidOf returns the units and orders that are paid, by SKU.
func paidOf(t testing.TB, s *Store, saleID string) map[string][2]int64 {
	t.Helper()
	all, err := s.PaidUnits(t.Context(), saleID)
	require.NoError(t, err)
	found := map[string][2]int64{}
	for _, one := range all {
		require.False(t, one.LastAt.IsZero())
		found[one.SKU] = [2]int64{one.Units, one.Orders}
	}
	paidAgrees(t, s, saleID, found)
	summaries, err := s.SaleSummaries(t.Context())
	require.NoError(t, err)
	for i := range summaries {
		if summaries[i].ID == saleID {
			require.Equal(t, unitsIn(found), summaries[i].Paid, "the sum over all SKUs")
		}
	}
	return found
}

func unitsIn(found map[string][2]int64) (sum int64) {
	for _, units := range found {
		sum += units[0]
	}
	return sum
}

// paidAgrees compares the counters with the sums of the paid rows.
func paidAgrees(t testing.TB, s *Store, saleID string, found map[string][2]int64) {
	t.Helper()
	const rows = "SELECT COALESCE(l.sku, o.sku), SUM(COALESCE(l.quantity, o.quantity)), COUNT(*) FROM orders o " +
		"LEFT JOIN order_lines l ON l.order_id = o.order_id AND o.line_count > 1 WHERE o.sale_id = ? AND o.status = 'paid' " +
		"GROUP BY COALESCE(l.sku, o.sku)"
	sums := map[string][2]int64{}
	require.NoError(t, each(t.Context(), s.db, rows, []any{saleID}, func(r scanner) error {
		var sku string
		var units, orders int64
		err := r.Scan(&sku, &units, &orders)
		sums[sku] = [2]int64{units, orders}
		return err
	}))
	require.Equal(t, sums, found, "the counters and the sums of the paid rows of %s", saleID)
}

func TestPaidUnitsCountEveryPaymentOnce(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 20, 5)
		ann, bob, cat, dan := one("ann", 2), one("bob", 1), one("cat", 3), one("dan", 1)
		require.Empty(t, paidOf(t, s, bucket.Sale))
		require.True(t, remember(t, s, dan.OrderID, "p-dan"))
		settle(t, s, batch(bucket, 1, 1, ann, bob, cat, dan))
		require.Equal(t, map[string][2]int64{"phone": {1, 1}}, paidOf(t, s, bucket.Sale), "the settlement paid dan's order")
		for range 2 {
			pay(t, s, ann.OrderID, "p-ann")
		}
		require.Equal(t, map[string][2]int64{"phone": {3, 2}}, paidOf(t, s, bucket.Sale))
		_, err := s.PayOrder(t.Context(), ann.OrderID, "another")
		require.Error(t, err)
		cancel(t, s, bob.OrderID)
		_, err = s.PayOrder(t.Context(), bob.OrderID, "p-bob")
		require.Error(t, err)
		require.Equal(t, map[string][2]int64{"phone": {3, 2}}, paidOf(t, s, bucket.Sale))
		require.True(t, remember(t, s, cat.OrderID, "p-cat"))
		_, err = s.CancelOrder(t.Context(), cat.OrderID, sale.ReasonShop, "")
		require.Equal(t, sale.StatusPaid, statusIn(err), "the remembered payment precedes")
		require.Equal(t, map[string][2]int64{"phone": {6, 3}}, paidOf(t, s, bucket.Sale))
		books := countersOf(t, s, bucket)
		require.Zero(t, books.Settled-books.Released-6, "every unit that counts is paid")
	})
}

func TestPaidUnitsOfSeveralLines(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, draft("eleven", 5, item("phone", 10), item("case", 10)))
		both := lined("ann", units("phone", 2), units("case", 1))
		settle(t, s, batch(rows[0].Bucket, 1, 1, both, lined("bob", units("case", 4))))
		pay(t, s, both.OrderID, "p")
		require.Equal(t, map[string][2]int64{"phone": {2, 1}, "case": {1, 1}}, paidOf(t, s, "eleven"))
		require.Empty(t, paidOf(t, s, "twelve"), "another sale")
	})
}

// Payments, expiries and cancellations at once: the counters are the sums of the rows, no unit is paid twice, and the unpaid
// units are never negative to a reader who reads the paid ones first.
func TestPaidUnitsBesideOtherMoves(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const orders = 96
		bucket := phone(t, s, orders, 1)
		due := crowd(orders)
		d := batch(bucket, 1, 1, due...)
		d.Record.Batch.CreatedMS = longAgo
		settle(t, s, d)
		overdue(t, s)
		require.NoError(t, together(8, func(worker int) error {
			for i, o := range due {
				var err error
				switch {
				case worker == 6:
					_, err = s.ExpireOrders(t.Context(), 3, 0)
				case worker == 7:
					err = unpaidIsNotNegative(t, s, bucket)
				case (i+worker)%6 == 5:
					_, err = s.CancelOrder(t.Context(), o.OrderID, sale.ReasonShop, "")
				default:
					_, err = s.PayOrder(t.Context(), o.OrderID, fmt.Sprint("p-", worker))
				}
				if err != nil && statusIn(err) == "" && paidIn(err) == nil {
					return err
				}
			}
			return nil
		}))
		paid := paidOf(t, s, bucket.Sale)["phone"]
		require.Positive(t, paid[0])
		require.Equal(t, int64(count(t, s, "SELECT COUNT(*) FROM orders WHERE status = 'paid'")), paid[1])
	})
}

func unpaidIsNotNegative(t *testing.T, s *Store, bucket sale.Bucket) error {
	paid, err := s.PaidUnits(t.Context(), bucket.Sale)
	if err != nil || len(paid) == 0 {
		return err
	}
	counters, err := s.SaleCounters(t.Context(), bucket.Sale)
	if err != nil {
		return err
	}
	if books := counters[0].Shelves[0]; books.Settled-books.Released < paid[0].Units {
		return errors.New("more units are paid than settled")
	}
	return nil
}

// The migration counts what was paid before, also when it runs a second time.
func TestPaidUnitsOfAnOlderSchema(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, draft("eleven", 5, item("phone", 10), item("case", 10)))
		both, plain := lined("ann", units("phone", 2), units("case", 1)), lined("bob", units("case", 4))
		settle(t, s, batch(rows[0].Bucket, 1, 1, both, plain, lined("cat", units("phone", 1))))
		pay(t, s, both.OrderID, "p-1")
		pay(t, s, plain.OrderID, "p-2")
		before := paidOf(t, s, "eleven")
		migration, err := migrations.ReadFile(s.dialect.migrations + "/00008_paid_units.sql")
		require.NoError(t, err)
		for range 2 {
			_, err = s.db.Exec(fillOf(t, string(migration)))
			require.NoError(t, err)
			require.Equal(t, before, paidOf(t, s, "eleven"))
			_, err = s.db.Exec("UPDATE paid_units SET units = 0 WHERE sku = 'case'")
			require.NoError(t, err)
		}
	})
}

// fillOf returns the statement of a migration that fills its table.
func fillOf(t *testing.T, migration string) string {
	t.Helper()
	_, fill, found := strings.Cut(migration, "REPLACE INTO")
	require.True(t, found)
	return "REPLACE INTO " + strings.TrimSuffix(strings.TrimSpace(fill), ";")
}
