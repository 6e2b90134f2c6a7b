package settle

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWaitsGrowAndAreBounded(t *testing.T) {
	var whole []time.Duration
	for try := range 8 {
		whole = append(whole, waitBefore(try, 0))
	}
	ms := time.Millisecond
	require.Equal(t, []time.Duration{20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, 1000 * ms, 1000 * ms}, whole)
	require.Equal(t, 10*ms, waitBefore(0, 1))

	rapid.Check(t, func(rt *rapid.T) {
		try := rapid.IntRange(0, 1<<40).Draw(rt, "try")
		wait := waitBefore(try, rapid.Float64Range(0, 1).Draw(rt, "spread"))
		require.GreaterOrEqual(rt, wait, firstWait/2)
		require.LessOrEqual(rt, wait, longestWait)
	})
}

func TestPauseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.True(t, pause(t.Context(), 3))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.False(t, pause(ctx, 20))
	})
}

func TestLingeringOutlivesItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, end := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "kept"))
		work, cancel := lingering(parent, time.Second)
		defer cancel()
		require.Equal(t, "kept", work.Value(valueKey{}))
		end()
		began := time.Now()
		synctest.Wait()
		require.NoError(t, work.Err())
		<-work.Done()
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestLingeringEndsWhenTheWorkIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble fails if a timer or goroutine is left behind
		parent, end := context.WithCancel(t.Context())
		work, cancel := lingering(parent, time.Hour)
		end()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, work.Err(), context.Canceled)
	})
}

func TestFewAttemptsAreLogged(t *testing.T) {
	var logged []int
	for try := range 100 {
		if noteworthy(try) {
			logged = append(logged, try+1)
		}
	}
	require.Equal(t, []int{1, 2, 4, 8, 16, 32, 64}, logged)
}

type valueKey struct{}
