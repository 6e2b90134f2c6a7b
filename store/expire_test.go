package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// longAgo is the time of orders whose payment time is over by any database's clock.
var longAgo = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// unpaid settles n orders of a bucket whose payment time is over.
func unpaid(t testing.TB, s *Store, bucket sale.Bucket, sequence int64, n int) []sale.RecordOrder {
	t.Helper()
	orders := crowd(n)
	d := batch(bucket, 1, sequence, orders...)
	d.Record.Batch.CreatedMS = longAgo
	require.Zero(t, settle(t, s, d).Refused)
	overdue(t, s)
	return orders
}

// overdue ends the payment time of the orders of longAgo, which have a minute since they were confirmed.
func overdue(t testing.TB, s *Store) {
	t.Helper()
	_, err := s.db.Exec("UPDATE orders SET pay_by = created_at, due_at = created_at " +
		"WHERE due_at > created_at AND created_at < '2021-01-01 00:00:00.000'")
	require.NoError(t, err)
}

// An order that is confirmed at or after the end of its payment time gets another minute, or the payment time if that is less.
func TestTimeToPayAfterConfirmation(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		for name, story := range map[string]struct{ ttl, pressed, least, most int64 }{
			"late": {900, -3600, 60, 61}, "in-time": {900, -100, 799, 801}, "short": {30, -3600, 30, 31},
			"barely": {900, -870, 60, 61},
		} {
			wanted := draft(name, 1, item("phone", 1))
			wanted.PaymentTTL = story.ttl
			orders := crowd(1)
			d := batch(selling(t, s, wanted)[0].Bucket, 1, 1, orders...)
			before := time.Now()
			d.Record.Batch.CreatedMS = before.UnixMilli() + story.pressed*1000
			settle(t, s, d)
			got := order(t, s, orders[0].OrderID)
			payBy := got.PayBy.Time
			require.WithinRange(t, payBy, before.Add(time.Duration(story.least)*time.Second-time.Millisecond),
				time.Now().Add(time.Duration(story.most)*time.Second), name)
			require.Zero(t, expireDue(t, s, 10), name)
			require.Equal(t, 1, count(t, s, "SELECT COUNT(*) FROM orders WHERE order_id = ? AND due_at = pay_by",
				int64(got.OrderID)))
		}
	})
}

func expireDue(t testing.TB, s *Store, limit int) int {
	t.Helper()
	expired, err := s.ExpireOrders(t.Context(), limit, 0)
	require.NoError(t, err)
	return expired.Orders
}

func TestExpireWhatIsDue(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		bucket := phone(t, s, 100, 1)
		due := unpaid(t, s, bucket, 1, 4)
		waits := crowd(1)
		later := batch(bucket, 1, 2, waits...)
		later.Record.Batch.CreatedMS = closing.UnixMilli()
		settle(t, s, later)
		pay(t, s, due[0].OrderID, "p")
		cancel(t, s, due[1].OrderID)

		require.Equal(t, 2, expireDue(t, s, 100))
		require.Zero(t, expireDue(t, s, 100))
		for i, status := range []sale.OrderStatus{sale.StatusPaid, sale.StatusCancelled, sale.StatusExpired, sale.StatusExpired} {
			require.Equal(t, status, order(t, s, due[i].OrderID).Status)
		}
		require.Equal(t, sale.StatusConfirmed, order(t, s, waits[0].OrderID).Status)
		b := countersOf(t, s, bucket)
		require.EqualValues(t, 3, b.Released)
		require.EqualValues(t, 3, b.GivenEpoch)
		rows := waiting(t, s, bucket)
		require.Len(t, rows, 2)
		require.Equal(t, given(due[2:]...), rows[1].Orders)
		paid := count(t, s, "SELECT COUNT(*) FROM orders WHERE due_at IS NOT NULL")
		require.Equal(t, 1, paid, "only what waits for its payment is looked at")
	})
}

func TestExpireWithoutDeadline(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		wanted := draft("free", 1, item("phone", 1))
		wanted.PaymentTTL = 0
		unpaid(t, s, selling(t, s, wanted)[0].Bucket, 1, 1)
		require.Zero(t, expireDue(t, s, 100))
	})
}

func TestExpireInPagesOverManyBuckets(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store) {
		rows := selling(t, s, inBuckets(4, draft("wide", 2, item("phone", 1000), item("case", 1000))))
		var deliveries []sale.Delivery
		for i, row := range rows {
			d := batch(row.Bucket, 1, 1, crowd(5)...)
			d.Record.Batch.CreatedMS = longAgo + int64(i)
			deliveries = append(deliveries, d)
		}
		settle(t, s, deliveries...)
		overdue(t, s)
		require.Equal(t, 7, expireDue(t, s, 7), "a full page: there may be more")
		require.Equal(t, 10, expireDue(t, s, 10))
		require.Equal(t, 3, expireDue(t, s, 10))
		for _, row := range rows {
			b := countersOf(t, s, row.Bucket)
			require.EqualValues(t, 5, b.Released)
			var units int64
			for i, released := range waiting(t, s, row.Bucket) {
				require.EqualValues(t, i+1, released.Number)
				units += unitsGiven(released)
			}
			require.EqualValues(t, 5, units)
			ledgerAgrees(t, s, row.Bucket)
		}
	})
}

// A hundred thousand orders expire within 30 seconds of their time, with the look every quarter of a second.
func TestManyExpireInTime(t *testing.T) {
	s := migrated(t, DriverMySQL)
	const orders, page = 20_000, 1000
	bucket := phone(t, s, orders, 1)
	for sequence := range int64(orders / page) {
		unpaid(t, s, bucket, sequence+1, page)
	}
	began := time.Now()
	expired := 0
	for {
		n := expireDue(t, s, page)
		expired += n
		if n < page {
			break
		}
	}
	took := time.Since(began)
	t.Logf("%d orders expired in %v: 100,000 in %v", expired, took, took*100_000/orders)
	require.Equal(t, orders, expired)
	require.Less(t, took, 6*time.Second)
	require.EqualValues(t, orders, countersOf(t, s, bucket).Released)
}

// BenchmarkExpire expires 100,000 orders in pages of 1000 and reports the seconds they take.
func BenchmarkExpire(b *testing.B) {
	const orders, page = 100_000, 1000
	for b.Loop() {
		b.StopTimer()
		s := migrated(b, DriverMySQL)
		bucket := phone(b, s, orders, 1)
		for sequence := range int64(orders / page) {
			unpaid(b, s, bucket, sequence+1, page)
		}
		b.StartTimer()
		for expireDue(b, s, page) == page {
		}
	}
}
