package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWaitersRoleRestsWithoutWaiters: it works once a period while a request waits, and is woken by the first one. Only the
// first failure of a row is logged, and no recovery while there was nothing to try.
func TestWaitersRoleRestsWithoutWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := &Gateway{options: Options{Log: slog.New(slog.NewTextHandler(&log, nil))}}
		g.waiters = newWaiters(nil, nil, Options{MaxWaiters: 1})
		var units atomic.Int64
		var failing atomic.Bool
		loop := g.whileWaiting("waiters", g.waiters.rows, waitInterval, func(context.Context) error {
			units.Add(1)
			if failing.Load() {
				return errAway
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); loop.Run(ctx) }()
		passes := func(wait time.Duration, expected int) {
			t.Helper()
			<-time.After(wait)
			synctest.Wait()
			require.EqualValues(t, expected, units.Load())
		}
		logged := func(fails, works int) {
			t.Helper()
			require.Equal(t, fails, bytes.Count(log.Bytes(), []byte("role fails")))
			require.Equal(t, works, bytes.Count(log.Bytes(), []byte("works again")))
		}
		one := new(waiter)
		passes(time.Hour, 0)
		require.True(t, g.waiters.add(one))
		passes(0, 1)
		passes(waitInterval-1, 1)
		passes(1, 2)
		failing.Store(true)
		passes(2*waitInterval, 4)
		logged(1, 0)
		g.waiters.remove(one)
		passes(time.Hour, 4)
		logged(1, 0)
		failing.Store(false)
		require.True(t, g.waiters.add(one))
		passes(0, 5)
		logged(1, 1)
		cancel()
		<-ended
	})
}

// TestRolesReportTheFirstFailureOnly, and a panic is a failure like others.
func TestRolesReportTheFirstFailureOnly(t *testing.T) {
	s := newScene(t)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := &Gateway{options: Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, metrics: s.gateway.metrics}
		results := []error{nil, errAway, errAway, nil, nil, errAway}
		ctx, cancel := context.WithCancel(t.Context())
		g.every("catalogue", pollInterval, func(context.Context) error {
			if len(results) == 0 {
				cancel()
				panic("after the end nothing is reported as failing")
			}
			result := results[0]
			results = results[1:]
			return result
		}).Run(ctx)
		require.Equal(t, 2, bytes.Count(log.Bytes(), []byte("role fails")))
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("works again")))
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("msg=panic")))
	})
}

// TestCatalogueIsPolledLessOftenWhileNobodyAsks: one request, or one change, makes the polls frequent again.
func TestCatalogueIsPolledLessOftenWhileNobodyAsks(t *testing.T) {
	g := &Gateway{}
	loop := g.followCatalogue()
	rests := func(expected time.Duration, polls int) {
		t.Helper()
		for range polls {
			require.Equal(t, expected, loop.Rest(0))
		}
	}
	rests(pollInterval, calmPolls-1)
	rests(calmInterval, 50)
	g.asked.Store(true)
	rests(pollInterval, calmPolls)
	rests(calmInterval, 1)
	require.Equal(t, calmInterval-time.Millisecond, loop.Rest(time.Millisecond), "the beginnings of two polls are apart")
}
