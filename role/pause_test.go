package role

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPauseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		require.True(t, Pause(t.Context(), time.Second))
		require.Equal(t, time.Second, time.Since(began))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.False(t, Pause(ctx, time.Hour))
		require.Equal(t, time.Second+time.Millisecond, time.Since(began))
		require.False(t, Pause(ctx, 0))
	})
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	var whole []time.Duration
	for failures := 1; failures <= 8; failures++ {
		whole = append(whole, backoff(failures, 0))
	}
	ms := time.Millisecond
	require.Equal(t, []time.Duration{20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, 1000 * ms, 1000 * ms}, whole)
	require.Equal(t, 10*ms, backoff(1, 1))

	rapid.Check(t, func(rt *rapid.T) {
		failures := rapid.IntRange(1, 1<<40).Draw(rt, "failures")
		wait := backoff(failures, rapid.Float64Range(0, 1).Draw(rt, "spread"))
		require.GreaterOrEqual(rt, wait, backoffFirst/2)
		require.LessOrEqual(rt, wait, backoffLongest)
		require.LessOrEqual(rt, Backoff(failures), backoffLongest)
	})
}

func TestFewFailuresAreNoteworthy(t *testing.T) {
	var logged []int
	for failures := 1; failures <= 100; failures++ {
		if Noteworthy(failures) {
			logged = append(logged, failures)
		}
	}
	require.Equal(t, []int{1, 2, 4, 8, 16, 32, 64}, logged)
}

type valueKey struct{}

func TestLingeringOutlivesItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, stop := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "kept"))
		work, end := Linger(parent, time.Second)
		defer end()
		require.Equal(t, "kept", work.Value(valueKey{}))
		stop()
		began := time.Now()
		synctest.Wait()
		require.NoError(t, work.Err())
		<-work.Done()
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestLingeringEndsWhenTheWorkIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble fails if a timer or goroutine is left behind
		parent, stop := context.WithCancel(t.Context())
		work, end := Linger(parent, time.Hour)
		stop()
		synctest.Wait()
		end()
		require.ErrorIs(t, work.Err(), context.Canceled)
	})
}

func TestLingeringForNoTimeEndsAtOnce(t *testing.T) {
	parent, stop := context.WithCancel(t.Context())
	work, end := Linger(parent, 0)
	defer end()
	stop()
	require.ErrorIs(t, work.Err(), context.Canceled)
}

func TestEachItemIsOneUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, nil))
		health := &Health{Failing: "an item cannot be used", Working: "items can be used again", Log: log}
		items, ctx, ended := make(chan int), t.Context(), make(chan struct{})
		ctx, cancel := context.WithCancel(ctx)
		var seen []int
		go func() {
			defer close(ended)
			Each(ctx, items, health, func(_ context.Context, item int) error {
				seen = append(seen, item)
				if item < 0 {
					return errBroken
				}
				return nil
			})
		}()
		for _, item := range []int{1, -2, -3, 4} {
			items <- item
		}
		synctest.Wait()
		cancel()
		<-ended
		require.Equal(t, []int{1, -2, -3, 4}, seen)
		require.Equal(t, 1, bytes.Count(said.Bytes(), []byte(`level=WARN msg="an item cannot be used" error=broken`)))
		require.Equal(t, 1, bytes.Count(said.Bytes(), []byte(`level=INFO msg="items can be used again" failures=2`)))
	})
}
