package admin

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// leaseBench is an API whose leases last for a moment only.
func leaseBench(t *testing.T, ttl time.Duration) *bench {
	return newBench(t, func(o *Options) { o.LeaseTTL, o.LeaseWait = ttl, 5*time.Second })
}

func TestLeaseExcludesStepsOfOneProcessToo(t *testing.T) {
	b := leaseBench(t, time.Minute)
	var inside, most atomic.Int32
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			done <- b.api.underLease(context.Background(), "s", func(context.Context) error {
				most.Store(max(most.Load(), inside.Add(1)))
				defer inside.Add(-1)
				return nil
			})
		}()
	}
	for range cap(done) {
		require.NoError(t, <-done)
	}
	require.EqualValues(t, 1, most.Load())
	require.Len(t, b.store.acquired, cap(done))
	require.Empty(t, b.store.leases)
}

func TestLeaseOfOtherSalesDoesNotMatter(t *testing.T) {
	b := leaseBench(t, time.Minute)
	require.NoError(t, b.api.underLease(context.Background(), "a", func(ctx context.Context) error {
		return b.api.underLease(ctx, "b", func(context.Context) error { return nil })
	}))
	require.Equal(t, []string{"sale/a", "sale/b"}, b.store.acquired)
}

func TestLeaseIsRenewedWhileAStepRuns(t *testing.T) {
	b := leaseBench(t, 15*time.Millisecond)
	require.NoError(t, b.api.underLease(context.Background(), "s", func(ctx context.Context) error {
		require.Eventually(t, func() bool {
			var renewals int
			b.store.set(func() { renewals = b.store.renewals })
			return renewals >= 3
		}, 5*time.Second, time.Millisecond)
		return ctx.Err()
	}))
	require.Empty(t, b.store.leases)
}

func TestLeaseThatIsLostEndsTheStep(t *testing.T) {
	for name, lose := range map[string]func(*fakeStore){
		"taken by someone else": func(f *fakeStore) { f.stolen = true },
		"database away":         func(f *fakeStore) { f.away = true },
	} {
		t.Run(name, func(t *testing.T) {
			b := leaseBench(t, 15*time.Millisecond)
			err := b.api.underLease(context.Background(), "s", func(ctx context.Context) error {
				b.store.set(func() { lose(b.store) })
				<-ctx.Done()
				return ctx.Err()
			})
			require.ErrorIs(t, err, errLeaseLost)
			problem, fault := problemOf(err)
			require.Equal(t, "unavailable", problem.Code)
			require.True(t, fault, "the log tells")
		})
	}
}

func TestLeaseWaitsForItsHolder(t *testing.T) {
	b := leaseBench(t, time.Minute)
	b.store.leases["sale/s"] = "another process"
	done := make(chan error, 1)
	go func() {
		done <- b.api.underLease(context.Background(), "s", func(context.Context) error { return nil })
	}()
	require.NoError(t, b.store.ReleaseLease(context.Background(), "sale/s", "another process"))
	require.NoError(t, <-done)
}

func TestLeaseEndsWithItsCaller(t *testing.T) {
	b := leaseBench(t, time.Minute)
	b.store.leases["sale/s"] = "another process"
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	step := func(context.Context) error { t.Error("the step must not run"); return nil }
	require.ErrorIs(t, b.api.underLease(ctx, "s", step), context.Canceled)

	b.api.opts.LeaseWait = 5 * time.Millisecond
	require.ErrorIs(t, b.api.underLease(context.Background(), "s", step), sale.ErrLeaseHeld)
}

func TestLeaseIsReleasedAfterAnError(t *testing.T) {
	b := leaseBench(t, time.Minute)
	failure := errors.New("step failed")
	err := b.api.underLease(context.Background(), "s", func(context.Context) error { return failure })
	require.ErrorIs(t, err, failure)
	require.Empty(t, b.store.leases)

	b.store.away = true
	require.ErrorIs(t, b.api.underLease(context.Background(), "s", nil), errAway)
}
