package lease

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/role"
)

// service is a role under a lease whose units a test counts and directs.
type service struct {
	units atomic.Int64
	owned atomic.Bool
	fails atomic.Bool
	end   func()
	said  bytes.Buffer // read after the end
}

func serve(t *testing.T, table *fakeTable, owner string, change func(*role.Loop)) *service {
	t.Helper()
	s := &service{}
	log := slog.New(slog.NewTextHandler(&s.said, nil))
	mine := table.lease(owner)
	mine.Log, mine.Owned = log, s.owned.Store
	loop := role.Loop{Name: "tested", Every: 100 * time.Millisecond, Retry: role.Backoff, Log: log,
		Unit: func(context.Context) error {
			s.units.Add(1)
			if s.fails.Load() {
				return errors.New("broken")
			}
			return nil
		}}
	if change != nil {
		change(&loop)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); mine.Serve(ctx, loop) }()
	s.end = func() { cancel(); <-ended }
	synctest.Wait()
	return s
}

func TestServeKeepsTheLeaseBetweenUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		first := serve(t, table, "first", nil)
		second := serve(t, table, "second", nil)
		for range 20 {
			after(time.Second)
			require.Equal(t, "first", table.ownerOf("x"))
			require.Greater(t, table.left("x"), usable)
		}
		synctest.Wait()
		require.EqualValues(t, 1+200, first.units.Load(), "a unit at once and one after each interval")
		require.Zero(t, second.units.Load())
		require.True(t, first.owned.Load())
		require.False(t, second.owned.Load())

		first.end()
		require.False(t, first.owned.Load())
		after(AskEvery)
		synctest.Wait()
		require.True(t, second.owned.Load(), "the lease was released")
		require.Positive(t, second.units.Load())
		second.end()
		require.Empty(t, table.ownerOf("x"))
		require.Empty(t, first.said.String()+second.said.String(), "waiting is not a failure")
	})
}

// A rest that is longer than the TTL does not cost the lease.
func TestServeRenewsWhileTheRoleRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		s := serve(t, table, "me", func(l *role.Loop) {
			l.Rest = func(time.Duration) time.Duration { return 10 * TTL }
		})
		after(9 * TTL)
		require.True(t, s.owned.Load())
		require.Positive(t, table.left("x"))
		require.EqualValues(t, 1, s.units.Load())
		s.end()
	})
}

func TestServeFollowsAnOwnerThatDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		table.steal("x")
		s := serve(t, table, "me", nil)
		after(TTL - AskEvery)
		synctest.Wait()
		require.Zero(t, s.units.Load())
		after(AskEvery)
		synctest.Wait()
		require.Positive(t, s.units.Load())
		s.end()
	})
}

// The role loses its lease with the database and acquires it when the database is back. It says so once.
func TestServeLosesAndAcquiresAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		s := serve(t, table, "me", nil)
		after(10 * time.Second)
		table.set(func() { table.away = true })
		after(usable)
		synctest.Wait()
		require.False(t, s.owned.Load(), "told before the lease ends")
		require.Positive(t, table.left("x"))
		after(200 * time.Millisecond)
		units := s.units.Load()
		after(time.Hour)
		require.Equal(t, units, s.units.Load(), "no unit without the lease")
		table.set(func() { table.away = false })
		after(2 * time.Second)
		require.True(t, s.owned.Load())
		require.Greater(t, s.units.Load(), units)
		s.end()
		require.Equal(t, 1, bytes.Count(s.said.Bytes(), []byte("role fails")))
		require.Equal(t, 1, bytes.Count(s.said.Bytes(), []byte("role works again")))
	})
}

func TestServeEndsAUnitWhoseLeaseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, lost := newFakeTable(), make(chan error, 1)
		s := serve(t, table, "me", func(l *role.Loop) {
			l.Linger = time.Hour // which is for the end of the process only
			l.Unit = func(ctx context.Context) error {
				<-ctx.Done()
				lost <- context.Cause(ctx)
				return ctx.Err()
			}
		})
		table.steal("x")
		require.ErrorIs(t, <-lost, ErrLost)
		synctest.Wait()
		require.False(t, s.owned.Load())
		s.end()
		require.Contains(t, s.said.String(), ErrLost.Error())
	})
}

// A process that was stopped for longer than its lease asks again before it works.
func TestAnOwnerThatStoodStillAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		held, err := table.lease("me").begin(t.Context())
		require.NoError(t, err)
		defer held.drop()
		held.until.Store(0) // as if the clock had moved past it, and no timer had run yet
		require.NoError(t, held.alive.Err())
		require.ErrorIs(t, held.do(t.Context(), nil), ErrLost, "no work")
		require.False(t, held.owned())
		require.ErrorIs(t, context.Cause(held.alive), ErrLost)
	})
}

func TestAUnitThatHasBegunMayEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, begun, goOn := newFakeTable(), make(chan struct{}), make(chan struct{})
		var units, finished atomic.Int64
		s := serve(t, table, "me", func(l *role.Loop) {
			l.Linger = 20 * time.Second
			l.Rest = func(time.Duration) time.Duration { return 0 }
			l.Unit = func(ctx context.Context) error {
				units.Add(1)
				close(begun)
				<-goOn
				if ctx.Err() == nil {
					finished.Add(1)
				}
				return nil
			}
		})
		<-begun
		ended := make(chan struct{})
		go func() { defer close(ended); s.end() }()
		after(15 * time.Second)
		require.Positive(t, table.left("x"), "the lease is renewed meanwhile")
		close(goOn)
		<-ended
		require.EqualValues(t, 1, finished.Load(), "its context was alive")
		require.EqualValues(t, 1, units.Load(), "and no other unit began")
		require.Empty(t, table.ownerOf("x"))
	})
}

func TestAUnitThatHangsIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, newFakeTable(), "me", func(l *role.Loop) {
			l.Linger = time.Second
			l.Unit = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		})
		began := time.Now()
		s.end()
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestServeOfARoleThatIsSignalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		s := serve(t, newFakeTable(), "me", func(l *role.Loop) { l.Every, l.Wake = 0, wake })
		units := s.units.Load()
		after(time.Minute)
		require.Equal(t, units, s.units.Load())
		wake <- struct{}{}
		synctest.Wait()
		require.Equal(t, units+1, s.units.Load())
		s.end()
	})
}
