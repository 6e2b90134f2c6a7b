package lease

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestDoRenewsExcludesAndReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		require.NoError(t, table.lease("me").Do(t.Context(), func(ctx context.Context) error {
			for range 60 {
				after(time.Second)
				require.NoError(t, ctx.Err(), "it is renewed")
				require.GreaterOrEqual(t, table.left("x"), TTL-renewEvery)
			}
			require.ErrorIs(t, table.lease("you").Do(ctx, nil), sale.ErrLeaseHeld, "no work")
			require.Equal(t, "me", table.ownerOf("x"))
			return nil
		}))
		require.Empty(t, table.ownerOf("x"))
		asked := table.questions()
		after(time.Minute)
		require.Equal(t, asked, table.questions(), "nothing is renewed afterwards")
	})
}

func TestLeasesOfOtherNamesDoNotMatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, inner := newFakeTable(), false
		require.NoError(t, table.lease("me").Do(t.Context(), func(ctx context.Context) error {
			other := table.lease("you")
			other.Name = Sale("b")
			return other.Do(ctx, func(context.Context) error { inner = true; return nil })
		}))
		require.True(t, inner)
	})
}

// However the lease is lost, the context of the work ends before another owner can acquire it.
func TestWorkEndsBeforeItsLease(t *testing.T) {
	for name, lose := range map[string]func(*fakeTable){
		"the database is away":   func(f *fakeTable) { f.set(func() { f.away = true }) },
		"the database hangs":     func(f *fakeTable) { f.set(func() { f.hangs = true }) },
		"another owner took it":  func(f *fakeTable) { f.steal("x") },
		"away in the last third": func(f *fakeTable) { after(renewEvery - time.Millisecond); f.set(func() { f.away = true }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := newFakeTable()
				err := table.lease("me").Do(t.Context(), func(ctx context.Context) error {
					after(10 * time.Second)
					lose(table)
					began := time.Now()
					<-ctx.Done()
					require.LessOrEqual(t, time.Since(began), usable)
					require.GreaterOrEqual(t, table.left("x"), TTL-usable-renewEvery)
					require.ErrorIs(t, context.Cause(ctx), ErrLost)
					return ctx.Err()
				})
				require.ErrorIs(t, err, ErrLost)
				require.ErrorIs(t, err, context.Canceled, "and the error of the work")
			})
		})
	}
}

func TestAShortOutageLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		require.NoError(t, table.lease("me").Do(t.Context(), func(ctx context.Context) error {
			for i := range 10 {
				table.set(func() { table.away = true })
				after(2500 * time.Millisecond)
				table.set(func() { table.away = false })
				after(renewEvery)
				require.NoError(t, ctx.Err())
				after(time.Duration(i) * renewEvery / 5) // the next one begins at another moment between two renewals
			}
			return nil
		}))
	})
}

// Work that succeeded although its lease was lost at the last moment has succeeded.
func TestWorkThatSucceededHasSucceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		require.NoError(t, table.lease("me").Do(t.Context(), func(ctx context.Context) error {
			table.steal("x")
			<-ctx.Done()
			return nil
		}))
		require.Equal(t, "thief", table.ownerOf("x"), "another owner's lease is not released")
	})
}

func TestDoFailsWithTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		table.away = true
		require.ErrorIs(t, table.lease("me").Do(t.Context(), nil), errAway)

		table.away, table.hangs = false, true
		began := time.Now()
		require.ErrorIs(t, table.lease("me").Do(t.Context(), nil), context.DeadlineExceeded)
		require.Equal(t, callTimeout, time.Since(began))
	})
}

func TestAReleaseThatFailsIsLoggedAndRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, said := newFakeTable(), bytes.Buffer{}
		mine := table.lease("me")
		mine.Log = slog.New(slog.NewTextHandler(&said, nil))
		want := errors.New("of the work")
		require.Equal(t, want, mine.Do(t.Context(), func(context.Context) error {
			table.set(func() { table.away = true })
			return want
		}))
		require.Contains(t, said.String(), "a lease could not be released")
		table.set(func() { table.away = false })
		after(TTL - time.Millisecond)
		require.ErrorIs(t, table.lease("you").Do(t.Context(), nil), sale.ErrLeaseHeld)
		after(time.Millisecond)
		require.NoError(t, table.lease("you").Do(t.Context(), func(context.Context) error { return nil }))
	})
}

// A lease is renewed and released also for work that outlives the context of Do.
func TestWorkThatOutlivesItsContextKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		ctx, end := context.WithCancel(t.Context())
		require.NoError(t, table.lease("me").Do(ctx, func(ctx context.Context) error {
			end()
			after(2 * TTL)
			require.NotErrorIs(t, context.Cause(ctx), ErrLost)
			require.Positive(t, table.left("x"))
			return nil
		}))
		require.Empty(t, table.ownerOf("x"))
	})
}

func TestDoWaitsForAnotherOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		waiting := func() *Lease { l := table.lease("me"); l.Wait = 30 * time.Second; return l }
		table.steal("x") // and dies
		began := time.Now()
		require.NoError(t, waiting().Do(t.Context(), func(context.Context) error { return nil }))
		require.InDelta(t, TTL, time.Since(began), float64(longestWait))
		require.Less(t, table.questions(), 32, "the waits between its questions grow")

		table.steal("x")
		time.AfterFunc(time.Second, func() { _ = table.ReleaseLease(t.Context(), "x", "thief") })
		began = time.Now()
		require.NoError(t, waiting().Do(t.Context(), func(context.Context) error { return nil }))
		require.InDelta(t, time.Second, time.Since(began), float64(longestWait))
	})
}

func TestDoWaitsNoLongerThanAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		mine := table.lease("me")
		mine.Wait = 5 * time.Second
		began := time.Now()
		require.NoError(t, table.lease("you").Do(t.Context(), func(ctx context.Context) error {
			require.ErrorIs(t, mine.Do(ctx, nil), sale.ErrLeaseHeld)
			return nil
		}))
		require.Equal(t, 5*time.Second, time.Since(began))

		require.NoError(t, table.lease("you").Do(t.Context(), func(context.Context) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, mine.Do(ctx, nil), context.DeadlineExceeded, "the caller's context has ended")
			return nil
		}))
	})
}

// A database that hangs for a moment is asked again, and one that returns an error is not.
func TestDoWaitsForADatabaseThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		mine := table.lease("me")
		mine.Wait = 30 * time.Second
		table.hangs = true
		time.AfterFunc(5*time.Second, func() { table.set(func() { table.hangs = false }) })
		require.NoError(t, mine.Do(t.Context(), func(context.Context) error { return nil }))
		table.away = true
		asked := table.questions()
		require.ErrorIs(t, mine.Do(t.Context(), nil), errAway)
		require.Equal(t, asked+1, table.questions())
	})
}

func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newFakeTable()
		inside, done := make(chan struct{}, 1), make(chan error, 8)
		for i := range cap(done) {
			go func() {
				mine := table.lease(string(rune('a' + i)))
				mine.Wait = time.Minute
				done <- mine.Do(t.Context(), func(context.Context) error {
					select {
					case inside <- struct{}{}:
					default:
						return errors.New("two at once")
					}
					after(time.Second)
					<-inside
					return nil
				})
			}()
		}
		for range cap(done) {
			require.NoError(t, <-done)
		}
		require.Empty(t, table.ownerOf("x"))
	})
}
