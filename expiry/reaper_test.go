package expiry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"flashsale/lease"
	"flashsale/sale"
	"flashsale/test/memory"
)

// errAway is the error of a database that cannot be reached.
var errAway = errors.New("connection refused")

// countedLeases are leases in memory that count how often they are asked.
func countedLeases(asked *atomic.Int64) lease.Leases {
	return memory.New(memory.Options{Hooks: memory.Hooks{Before: func(context.Context, string) error {
		asked.Add(1)
		return nil
	}}})
}

// fakeUnpaid has a number of due orders.
type fakeUnpaid struct {
	mu    sync.Mutex
	due   int
	calls int
	away  bool
	hangs int // so many calls return only when their context ends
}

func (u *fakeUnpaid) ExpireOrders(ctx context.Context, limit int, _ time.Duration) (sale.Expiry, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls++
	if u.hangs > 0 {
		u.hangs--
		<-ctx.Done()
		return sale.Expiry{}, ctx.Err()
	}
	if u.away {
		return sale.Expiry{}, errAway
	}
	n := min(limit, u.due)
	u.due -= n
	return sale.Expiry{Orders: n}, nil
}

func (u *fakeUnpaid) Thaws(context.Context, time.Duration) ([]sale.Thaw, error) { return nil, nil }

func (u *fakeUnpaid) ThawOrders(_ context.Context, thaw sale.Thaw) (sale.Thaw, error) {
	return thaw, errAway
}

func (u *fakeUnpaid) set(due int, away bool) (calls int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.due, u.away = due, away
	return u.calls
}

func newFakeReaper(t *testing.T, unpaid *fakeUnpaid, leases lease.Leases, holder string) *Reaper {
	t.Helper()
	r, err := NewReaper(ReaperOptions{
		Orders: unpaid, Leases: leases, Owner: holder, Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return r
}

func reaping(t *testing.T, r *Reaper) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func TestReaperTakesPageAfterPageWithoutAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid := &fakeUnpaid{due: 100_300}
		r := newFakeReaper(t, unpaid, memory.New(memory.Options{}), "me")
		end := reaping(t, r)
		synctest.Wait() // no virtual time passes: the pages needed none
		require.Equal(t, 101, unpaid.set(0, false))
		require.InDelta(t, 100_300, testutil.ToFloat64(r.expired), 0)
		unpaid.set(5, false)
		<-time.After(reaperEvery)
		synctest.Wait()
		require.InDelta(t, 100_305, testutil.ToFloat64(r.expired), 0)
		end()
	})
}

func TestReaperAsksSeldomWhileNothingIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid := &fakeUnpaid{}
		var asked atomic.Int64
		end := reaping(t, newFakeReaper(t, unpaid, countedLeases(&asked), "me"))
		<-time.After(time.Minute)
		synctest.Wait()
		require.LessOrEqual(t, unpaid.set(0, false), int(time.Minute/reaperEvery)+1)
		require.LessOrEqual(t, int(asked.Load()), int(time.Minute/(lease.TTL/6))+1)
		end()
	})
}

func TestReaperWaitsForItsDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid := &fakeUnpaid{due: 10, away: true}
		r := newFakeReaper(t, unpaid, memory.New(memory.Options{}), "me")
		end := reaping(t, r)
		<-time.After(time.Minute)
		synctest.Wait()
		require.Zero(t, testutil.ToFloat64(r.expired))
		unpaid.set(10, false)
		<-time.After(time.Second)
		synctest.Wait()
		require.InDelta(t, 10, testutil.ToFloat64(r.expired), 0)
		end()
	})
}

// A database that accepts a statement and never answers costs the time of one page.
func TestAPageThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid := &fakeUnpaid{due: 10, hangs: 1}
		r := newFakeReaper(t, unpaid, memory.New(memory.Options{}), "me")
		end := reaping(t, r)
		<-time.After(pageTimeout + time.Second)
		synctest.Wait()
		require.InDelta(t, 10, testutil.ToFloat64(r.expired), 0)
		end()
	})
}

func TestAReaperIsFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unpaid, leases := &fakeUnpaid{}, memory.New(memory.Options{})
		_, err := leases.AcquireLease(t.Context(), "expiry", "one that was killed", lease.TTL)
		require.NoError(t, err)
		r := newFakeReaper(t, unpaid, leases, "me")
		end := reaping(t, r)
		unpaid.set(3, false)
		<-time.After(lease.TTL - lease.AskEvery)
		synctest.Wait()
		require.Zero(t, testutil.ToFloat64(r.expired))
		<-time.After(2 * lease.AskEvery)
		synctest.Wait()
		require.InDelta(t, 3, testutil.ToFloat64(r.expired), 0)
		end()
	})
}

func TestReaperNeedsItsMetrics(t *testing.T) {
	r := newFakeReaper(t, &fakeUnpaid{}, memory.New(memory.Options{}), "me")
	_, err := NewReaper(r.ReaperOptions)
	require.ErrorContains(t, err, "register the metrics of expiry")
}
