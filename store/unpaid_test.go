package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// Unpaid orders are those whose payment time ends; overdue are those that are to expire, so none of a frozen sale.
func TestUnpaidOrders(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		none, err := s.UnpaidOrders(t.Context())
		require.NoError(t, err)
		require.Empty(t, none)
		bucket := phone(t, s, 100, 1)
		frozen := selling(t, s, draft("frozen", 1, item("phone", 10)))[0].Bucket
		forever := draft("forever", 1, item("phone", 10))
		forever.PaymentTTL = 0
		settle(t, s, batch(selling(t, s, forever)[0].Bucket, 1, 1, crowd(2)...))
		due := unpaid(t, s, bucket, 1, 5)
		unpaid(t, s, frozen, 1, 2)
		later := batch(bucket, 1, 2, crowd(1)...)
		later.Record.Batch.CreatedMS = time.Now().UnixMilli()
		settle(t, s, later)
		pay(t, s, due[0].OrderID, "p")
		cancel(t, s, due[1].OrderID)
		freeze(t, s, "frozen")
		found, err := s.UnpaidOrders(t.Context())
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.WithinDuration(t, time.UnixMilli(longAgo), time.Now().Add(-found[0].Oldest), time.Minute)
		found[0].Oldest = 0
		require.Equal(t, []sale.UnpaidOrders{{Sale: "eleven", Orders: 4, Overdue: 3}, {Sale: "frozen", Orders: 2}}, found)
		require.Equal(t, 3, expireDue(t, s, 100))
		found, err = s.UnpaidOrders(t.Context())
		require.NoError(t, err)
		require.Equal(t, []sale.UnpaidOrders{{Sale: "eleven", Orders: 1}, {Sale: "frozen", Orders: 2}}, found)
	})
}

// What is counted does not depend on the pages, also where orders of several sales have the same payment time, and no order is
// read in more than one page.
func TestUnpaidOrdersAreCountedInPages(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		const orders = 60
		eleven := phone(t, s, 100, 1)
		other := selling(t, s, draft("other", 1, item("phone", 100)))[0].Bucket
		for i, bucket := range []sale.Bucket{eleven, other, eleven} {
			unpaid(t, s, bucket, int64(i+1), orders/4)
		}
		later := batch(other, 1, 4, crowd(orders/4)...)
		later.Record.Batch.CreatedMS = time.Now().UnixMilli()
		settle(t, s, later)
		for _, page := range []int{1, 7, orders / 4, orders - 1, orders, orders + 1} {
			s.unpaidPage = page
			statements, reads := session(t, s, "Questions"), session(t, s, "Handler_read_next")
			found, err := s.UnpaidOrders(t.Context())
			require.NoError(t, err)
			statements, reads = session(t, s, "Questions")-statements, session(t, s, "Handler_read_next")-reads
			require.Len(t, found, 2)
			for i := range found {
				require.WithinDuration(t, time.UnixMilli(longAgo), time.Now().Add(-found[i].Oldest), time.Minute)
				found[i].Oldest = 0
			}
			require.Equal(t, []sale.UnpaidOrders{
				{Sale: "eleven", Orders: orders / 2, Overdue: orders / 2},
				{Sale: "other", Orders: orders / 2, Overdue: orders / 4},
			}, found, "pages of %d", page)
			if statements > 0 { // the server counts them
				require.GreaterOrEqual(t, statements, 2*orders/page, "pages of %d", page)
				require.LessOrEqual(t, reads, 3*orders+2*orders/page, "pages of %d: found in the index, and counted", page)
			}
		}
	})
}

// session returns a counter of the connection that the pool uses, 0 where the server has none.
func session(t *testing.T, s *Store, name string) (n int) {
	t.Helper()
	if s.dialect.oneWriter {
		return 0
	}
	if err := s.db.QueryRow("SHOW SESSION STATUS LIKE '"+name+"'").Scan(new(string), &n); !isNoRows(err) {
		require.NoError(t, err)
	}
	return n
}

// Every order that a commit brings to a status is reported once, on every way; what is rolled back or repeated is not.
func TestMovedOrdersAreReported(t *testing.T) {
	for _, driver := range []string{DriverMySQL, DriverSQLite} {
		t.Run(driver, func(t *testing.T) {
			dsn := filepath.Join(t.TempDir(), "shop.db")
			if driver == DriverMySQL {
				dsn = harness.SharedMariaDB(t).DSN(databaseName(t))
			}
			moved := map[string]int64{}
			s, err := Open(Options{Driver: driver, DSN: dsn, Moved: func(id string, status sale.OrderStatus, orders int64) {
				moved[id+" "+string(status)] += orders
			}})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			require.NoError(t, s.Migrate(t.Context()))
			bucket := phone(t, s, 7, 1)
			other := selling(t, s, draft("other", 1, item("phone", 1)))[0].Bucket
			due := unpaid(t, s, bucket, 1, 6)
			refused := batch(other, 1, 1, crowd(3)...)
			settle(t, s, refused)
			settle(t, s, refused) // again
			require.Equal(t, map[string]int64{"eleven confirmed": 6, "other confirmed": 1, "other refused": 2}, moved)
			pay(t, s, due[0].OrderID, "p")
			pay(t, s, due[0].OrderID, "p")
			cancel(t, s, due[1].OrderID)
			_, err = s.CancelOrder(t.Context(), due[0].OrderID, sale.ReasonShop, "")
			require.Error(t, err)
			late := crowd(1)
			late[0].OrderID += 1000
			_, err = s.RememberPayment(t.Context(), late[0].OrderID, "r")
			require.NoError(t, err)
			settle(t, s, batch(bucket, 1, 2, late...))
			require.Equal(t, 4, expireDue(t, s, 100))
			require.Equal(t, map[string]int64{
				"eleven confirmed": 7, "eleven paid": 2, "eleven cancelled": 1, "eleven expired": 4,
				"other confirmed": 1, "other refused": 2,
			}, moved)
			require.Empty(t, s.statuses.open, "nothing is kept of an ended transaction")
		})
	}
}
