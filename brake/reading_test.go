package brake

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A store that hangs is asked once at a time, delays a unit by patience and no more, and its late answer counts until it is
// stale or another reading fails.
func TestAReadingThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running sync.WaitGroup
		answers := make(chan int64)
		var begun atomic.Int64
		r := &reading[int64]{read: func(ctx context.Context) (int64, error) {
			begun.Add(1)
			select {
			case n := <-answers:
				return n, nil
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}}
		quick := &reading[int64]{read: func(context.Context) (int64, error) { return 7, nil }}
		round := func() (timed[int64], error) {
			t.Helper()
			began := time.Now()
			awaitAll(t.Context(), quick.begin(t.Context(), &running), r.begin(t.Context(), &running))
			require.LessOrEqual(t, time.Since(began), patience)
			found, err := quick.last(time.Now())
			require.NoError(t, err)
			require.Equal(t, timed[int64]{true, 7, began}, found, "the other store's answer is a new one")
			return r.last(time.Now())
		}
		for range 2 {
			found, err := round()
			require.NoError(t, err)
			require.False(t, found.known)
		}
		require.EqualValues(t, 1, begun.Load())
		answers <- 5
		synctest.Wait()
		answered := time.Now()
		found, err := round()
		require.NoError(t, err)
		require.Equal(t, timed[int64]{true, 5, answered}, found)
		<-time.After(readTimeout)
		found, err = r.last(time.Now())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, found.known, "the next reading has failed")

		r.begin(t.Context(), &running)
		answers <- 6
		synctest.Wait()
		<-time.After(staleAfter + time.Millisecond)
		found, err = r.last(time.Now())
		require.NoError(t, err)
		require.False(t, found.known, "it is stale")
		running.Wait()
	})
}
