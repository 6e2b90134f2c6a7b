package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const benchOrders, benchPage = 100_000, 1000

// frozenOrders is a frozen sale of a hundred thousand unpaid orders whose payment time is over.
func frozenOrders(b *testing.B) *Store {
	b.Helper()
	s := migrated(b, DriverMySQL)
	bucket := phone(b, s, benchOrders, 1)
	for sequence := range int64(benchOrders / benchPage) {
		unpaid(b, s, bucket, sequence+1, benchPage)
	}
	freeze(b, s, "eleven")
	frozenAt(b, s, "eleven", time.Hour)
	return s
}

// BenchmarkThaw moves 100,000 orders and reports the seconds they take.
func BenchmarkThaw(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := frozenOrders(b)
		b.StartTimer()
		thawed(b, s, beginThaw(b, s, "eleven"))
	}
}

// BenchmarkLookPastFrozenOrders is a look of the reaper while 100,000 orders of a frozen sale are due: the first ones read them,
// those that are measured begin behind them.
func BenchmarkLookPastFrozenOrders(b *testing.B) {
	s := frozenOrders(b)
	began := time.Now()
	for range benchOrders/benchPage/maxDuePages + 1 {
		require.Zero(b, expireDue(b, s, benchPage))
	}
	b.ReportMetric(time.Since(began).Seconds(), "s-to-pass-all")
	for b.Loop() {
		require.Zero(b, expireDue(b, s, benchPage))
	}
}

// BenchmarkUnpaidOrders counts 100,000 unpaid orders.
func BenchmarkUnpaidOrders(b *testing.B) {
	s := frozenOrders(b)
	for b.Loop() {
		found, err := s.UnpaidOrders(b.Context())
		require.NoError(b, err)
		require.Equal(b, int64(benchOrders), found[0].Orders)
	}
}
