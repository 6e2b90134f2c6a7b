package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// hubOf is a hub without a listener, whose readings are a second apart.
func hubOf(t *testing.T) (*hub, *API) {
	t.Helper()
	api := &API{opts: Options{ReadLimit: 10 * time.Second, StatsEvery: time.Second, Logger: slog.New(slog.DiscardHandler)},
		stopper: newStopper()}
	api.hub = newHub(api)
	t.Cleanup(func() { // within the bubble of the test
		api.StopStreams()
		synctest.Wait()
	})
	return api.hub, api
}

// counting reads 1, 2, 3, … and fails where it is told to.
type counting struct {
	n     atomic.Int64
	fails atomic.Bool
	takes time.Duration
}

func (c *counting) read(ctx context.Context, _ any) reading {
	select {
	case <-time.After(c.takes):
	case <-ctx.Done():
	}
	if c.fails.Load() {
		return reading{err: errAway, rest: time.Second}
	}
	return reading{value: c.n.Add(1), rest: time.Second}
}

func TestWatchersShareReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := hubOf(t)
		c := &counting{takes: time.Millisecond}
		var watchers []*watcher
		for range 30 {
			w, err := h.watch("s", c.read)
			require.NoError(t, err)
			watchers = append(watchers, w)
		}
		for second := range 10 {
			for _, w := range watchers {
				next, ok := w.next(t.Context())
				require.True(t, ok)
				require.EqualValues(t, second+1, next.value)
			}
		}
		require.EqualValues(t, 10, c.n.Load(), "one reading for thirty")
		late, err := h.watch("s", c.read)
		require.NoError(t, err)
		next, ok := late.next(t.Context())
		require.True(t, ok)
		require.EqualValues(t, 10, next.value, "who comes later has the present one at once")
		for _, w := range append(watchers, late) {
			w.close()
		}
		<-time.After(lingers + 2*time.Second)
		synctest.Wait()
		read := c.n.Load()
		require.Empty(t, h.topics)
		<-time.After(time.Minute)
		require.Equal(t, read, c.n.Load(), "nobody watches, so nothing is read")
	})
}

// A watcher that is slow gets the newest reading, and waits for no other.
func TestSlowWatchersMissReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := hubOf(t)
		c := &counting{}
		w, err := h.watch("s", c.read)
		require.NoError(t, err)
		defer w.close()
		_, ok := w.next(t.Context())
		require.True(t, ok)
		<-time.After(7500 * time.Millisecond)
		next, ok := w.next(t.Context())
		require.True(t, ok)
		require.EqualValues(t, 8, next.value)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, ok = w.next(ctx)
		require.False(t, ok)
	})
}

// A subject that cannot be read is read no longer than it is watched; a panic is a reading that failed.
func TestReadingsThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := hubOf(t)
		c := &counting{}
		c.fails.Store(true)
		w, err := h.watch("s", c.read)
		require.NoError(t, err)
		next, ok := w.next(t.Context())
		require.True(t, ok)
		require.ErrorIs(t, next.err, errAway)
		require.Nil(t, next.value)
		c.fails.Store(false)
		next, ok = w.next(t.Context())
		require.True(t, ok)
		require.NoError(t, next.err)
		c.fails.Store(true)
		w.close()
		<-time.After(2 * time.Second)
		synctest.Wait()
		require.Empty(t, h.topics)
		w, err = h.watch("broken", func(context.Context, any) reading { panic("impossible") })
		require.NoError(t, err)
		next, ok = w.next(t.Context())
		require.True(t, ok)
		require.Equal(t, problemInternal, next.err)
		w.close()
		<-time.After(2 * time.Second)
		synctest.Wait()
	})
}

// A reading that takes long leaves the stores time for other work; the value before it is handed to it.
func TestSlowReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, api := hubOf(t)
		began := time.Now()
		var befores []any
		w, err := h.watch("s", func(_ context.Context, before any) reading {
			befores = append(befores, before)
			<-time.After(3 * time.Second)
			if len(befores) == 2 {
				return reading{err: errors.New("once"), rest: time.Second}
			}
			return reading{value: len(befores), rest: time.Second}
		})
		require.NoError(t, err)
		for range 4 {
			_, ok := w.next(t.Context())
			require.True(t, ok)
		}
		require.Equal(t, 4*3*time.Second+3*1500*time.Millisecond, time.Since(began))
		synctest.Wait()
		require.Equal(t, []any{nil, 1, 1, 3}, befores[:4], "the last value, also after a failure")
		api.StopStreams()
		_, ok := w.next(t.Context())
		require.False(t, ok)
		w.close()
		synctest.Wait()
	})
}

func TestSubjectsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, api := hubOf(t)
		c := &counting{}
		for i := range maxStreams {
			_, err := h.watch(fmt.Sprint(i), c.read)
			require.NoError(t, err)
		}
		_, err := h.watch("one more", c.read)
		problem, _ := problemOf(err)
		require.Equal(t, "overloaded", problem.Code)
		_, err = h.watch("7", c.read)
		require.NoError(t, err, "one that is watched already")
		api.StopStreams()
		synctest.Wait()
		require.Empty(t, h.topics)
	})
}
