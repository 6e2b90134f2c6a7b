package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The steady clock equals the wall clock while that one is not set.
func TestSteadyClock(t *testing.T) {
	clock := newSteadyClock()
	for range 3 {
		before := time.Now()
		now, millis, nanos := clock.Now(), clock.CurrentTimeMillis(), clock.CurrentTimeNano()
		clock.Sleep(2 * time.Millisecond)
		require.WithinRange(t, now, before.Add(-time.Millisecond), time.Now())
		require.InDelta(t, before.UnixMilli(), millis, 1000)
		require.InDelta(t, before.UnixNano(), nanos, 1e9)
		require.GreaterOrEqual(t, clock.CurrentTimeNano()-nanos, uint64(2*time.Millisecond))
	}
}

// BenchmarkSteadyClock is one look, beside one at the wall clock.
func BenchmarkSteadyClock(b *testing.B) {
	b.Run("steady", func(b *testing.B) {
		clock := newSteadyClock()
		for b.Loop() {
			_ = clock.CurrentTimeMillis()
		}
	})
	b.Run("wall", func(b *testing.B) {
		for b.Loop() {
			_ = time.Now().UnixMilli()
		}
	})
}
