package admin

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/lease"
	"flashsale/sale"
)

func TestStepsOfOneProcessExcludeEachOther(t *testing.T) {
	b := newBench(t)
	synctest.Test(t, func(t *testing.T) {
		b.api.opts.LeaseWait = time.Minute
		inside, done := make(chan struct{}, 1), make(chan error, 8)
		for range cap(done) {
			go func() {
				done <- b.api.underLease(t.Context(), "s", func(context.Context) error {
					select {
					case inside <- struct{}{}:
					default:
						return errors.New("two at once")
					}
					<-time.After(time.Second)
					<-inside
					return nil
				})
			}()
		}
		for range cap(done) {
			require.NoError(t, <-done)
		}
		require.Len(t, b.store.acquired, cap(done))
		require.Empty(t, b.store.Snapshot().Leases)
	})
}

func TestLeaseOfOtherSalesDoesNotMatter(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.api.underLease(t.Context(), "a", func(ctx context.Context) error {
		return b.api.underLease(ctx, "b", func(context.Context) error { return nil })
	}))
	require.Equal(t, []string{"sale/a", "sale/b"}, b.store.acquired)
}

func TestLeaseIsRenewedWhileAStepRuns(t *testing.T) {
	b := newBench(t)
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, b.api.underLease(t.Context(), "s", func(ctx context.Context) error {
			<-time.After(time.Minute)
			return ctx.Err()
		}))
		require.Greater(t, b.store.renewals, int(time.Minute/lease.TTL))
		require.Empty(t, b.store.Snapshot().Leases)
	})
}

func TestLeaseThatIsLostEndsTheStep(t *testing.T) {
	for name, lose := range map[string]func(*fakeStore){
		"taken by another owner": func(f *fakeStore) { f.stolen = true },
		"database away":          func(f *fakeStore) { f.away = true },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			synctest.Test(t, func(t *testing.T) {
				err := b.api.underLease(t.Context(), "s", func(ctx context.Context) error {
					b.store.set(func() { lose(b.store) })
					<-ctx.Done()
					return ctx.Err()
				})
				require.ErrorIs(t, err, lease.ErrLost)
				problem, fault := problemOf(err)
				require.Equal(t, "unavailable", problem.Code)
				require.True(t, fault, "the log has the fault")
			})
		})
	}
}

func TestAStepWaitsForTheLease(t *testing.T) {
	b := newBench(t)
	synctest.Test(t, func(t *testing.T) {
		b.store.giveLease("sale/s", "another process")
		done := make(chan error, 1)
		go func() {
			done <- b.api.underLease(t.Context(), "s", func(context.Context) error { return nil })
		}()
		<-time.After(time.Second)
		require.NoError(t, b.store.ReleaseLease(t.Context(), "sale/s", "another process"))
		require.NoError(t, <-done)
	})
}

func TestAStepStopsWaiting(t *testing.T) {
	b := newBench(t)
	b.store.giveLease("sale/s", "another process")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	step := func(context.Context) error { t.Error("the step must not run"); return nil }
	require.ErrorIs(t, b.api.underLease(ctx, "s", step), context.Canceled, "with its caller")

	b.api.opts.LeaseWait = 5 * time.Millisecond
	require.ErrorIs(t, b.api.underLease(t.Context(), "s", step), sale.ErrLeaseHeld)
}

func TestLeaseIsReleasedAfterAnError(t *testing.T) {
	b := newBench(t)
	failure := errors.New("step failed")
	require.ErrorIs(t, b.api.underLease(t.Context(), "s", func(context.Context) error { return failure }), failure)
	require.Empty(t, b.store.Snapshot().Leases)

	b.store.away = true
	require.ErrorIs(t, b.api.underLease(t.Context(), "s", nil), errAway)
}
