package role

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errBroken = errors.New("broken")

// running is a loop in a bubble, with the moments at which its units began.
type running struct {
	mu    sync.Mutex
	began []time.Duration // since the start
	err   error           // what units return
	took  time.Duration   // how long they take
	end   func()
	said  bytes.Buffer // read after the end
}

func run(t *testing.T, l Loop) *running {
	t.Helper()
	r, start := &running{}, time.Now()
	l.Name, l.Log = "tested", slog.New(slog.NewTextHandler(&r.said, nil))
	unit := l.Unit
	l.Unit = func(ctx context.Context) error {
		r.mu.Lock()
		r.began = append(r.began, time.Since(start))
		err, took := r.err, r.took
		r.mu.Unlock()
		if unit != nil {
			return unit(ctx)
		}
		<-time.After(took)
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx) }()
	r.end = func() { cancel(); <-ended }
	synctest.Wait()
	return r
}

func (r *running) units() []time.Duration {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]time.Duration(nil), r.began...)
}

func (r *running) from(took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took, r.err = took, err
}

func after(d time.Duration) { <-time.After(d) }

// seconds are moments since the start.
func seconds(at ...float64) []time.Duration {
	moments := make([]time.Duration, len(at))
	for i, s := range at {
		moments[i] = time.Duration(s * float64(time.Second))
	}
	return moments
}

func TestALoopBeginsAtOnceAndRestsAfterEachUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Loop{Every: time.Second})
		after(1500 * time.Millisecond)
		r.from(3*time.Second, nil)
		after(5 * time.Second)
		require.Equal(t, seconds(0, 1, 2, 6), r.units())
		r.end()
		after(time.Hour)
		require.Len(t, r.units(), 4)
	})
}

func TestASteadyLoopKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Loop{Rest: Steady(time.Second)})
		r.from(400*time.Millisecond, nil)
		after(1500 * time.Millisecond)
		require.Equal(t, seconds(0, 1), r.units())
		r.from(2500*time.Millisecond, nil)
		after(3100 * time.Millisecond)
		require.Equal(t, seconds(0, 1, 2, 4.5), r.units(), "a unit that took longer is followed at once")
		r.end()
	})
}

func TestTheUnitDecidesItsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := 100
		l := Loop{Rest: func(took time.Duration) time.Duration {
			if more--; more > 0 {
				return 0
			}
			return time.Minute - took
		}}
		r := run(t, l)
		require.Len(t, r.units(), 100, "in no time")
		r.from(time.Second, nil)
		after(3*time.Minute - time.Second)
		require.Len(t, r.units(), 102)
		r.end()
	})
}

func TestALoopIsSignalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		r := run(t, Loop{Wake: wake, Retry: func(int) time.Duration { return time.Second }})
		after(time.Hour)
		require.Empty(t, r.units(), "the first unit waits for a signal too")
		wake <- struct{}{}
		after(time.Hour)
		require.Equal(t, seconds(3600), r.units())

		r.from(0, errBroken)
		wake <- struct{}{}
		after(2500 * time.Millisecond)
		require.Equal(t, seconds(3600, 7200, 7201, 7202), r.units(), "it is repeated without a signal")
		wake <- struct{}{}
		require.Len(t, r.units(), 4, "a signal does not end the rest after a failure")
		r.from(0, nil)
		after(time.Minute)
		require.Equal(t, seconds(3600, 7200, 7201, 7202, 7203, 7203), r.units(), "the signal was not lost")
		r.end()
	})
}

// A role that works in an interval while it has work, and otherwise rests until it is signalled.
func TestALoopRestsUntilItIsSignalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake, busy := make(chan struct{}, 1), 0
		l := Loop{Wake: wake, Rest: func(took time.Duration) time.Duration {
			if busy == 0 {
				return UntilWoken
			}
			busy--
			return Steady(time.Second)(took)
		}}
		r := run(t, l)
		require.Empty(t, r.units())
		busy = 3 // before the signal, which orders it
		wake <- struct{}{}
		after(500 * time.Millisecond)
		wake <- struct{}{}
		after(time.Minute)
		require.Equal(t, seconds(0, 1, 2, 3, 3), r.units(), "a signal never shortens the interval")
		r.end()
	})
}

func TestRetriesCountFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counts []int
		r := run(t, Loop{Every: time.Second, Retry: func(failures int) time.Duration {
			counts = append(counts, failures)
			return time.Duration(failures) * time.Minute
		}})
		r.from(0, errBroken)
		after(5 * time.Minute)
		r.from(0, nil)
		after(5 * time.Minute)
		r.from(0, errBroken)
		after(2 * time.Second)
		r.end()
		require.Equal(t, []int{1, 2, 3, 1}, counts)
	})
}

// Without Retry a failure is followed by the rest of a success.
func TestAFailureWithoutRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Loop{Every: time.Second})
		r.from(0, errBroken)
		after(2500 * time.Millisecond)
		require.Equal(t, seconds(0, 1, 2), r.units())
		r.end()
	})
}

func TestALoopLogsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := errors.New("another process does it")
		r := run(t, Loop{Every: time.Second, Quiet: []error{quiet}, Failing: "it cannot be done"})
		r.from(0, errors.Join(quiet, errors.New("wrapped")))
		after(10500 * time.Millisecond) // between two units
		r.from(0, errBroken)
		after(time.Hour)
		r.from(0, nil)
		after(time.Minute)
		r.from(0, errBroken)
		after(time.Hour)
		r.end()
		require.Equal(t, 2, bytes.Count(r.said.Bytes(), []byte(`level=WARN msg="it cannot be done" role=tested error=broken`)))
		require.Equal(t, 1, bytes.Count(r.said.Bytes(),
			[]byte(`level=INFO msg="role works again" role=tested failures=3600 for=1h0m0s`)))
		require.Equal(t, 3, bytes.Count(r.said.Bytes(), []byte("\n")))
	})
}

// A row of failures may change its cause: the second one is logged too, at most every 10 s.
func TestALoopLogsAnotherError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Loop{Every: time.Second})
		r.from(0, errBroken)
		after(1500 * time.Millisecond)
		r.from(0, errors.New("refused"))
		after(12 * time.Second)
		r.from(0, errBroken)
		after(time.Second)
		r.end()
		require.Equal(t, 1, bytes.Count(r.said.Bytes(), []byte("error=refused")), r.said.String())
		require.Equal(t, 2, bytes.Count(r.said.Bytes(), []byte("\n")), r.said.String())
	})
}

// A process that failed and then has nothing to do, because another one has the lease, has not recovered.
func TestAQuietErrorEndsNoRowOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := errors.New("another process does it")
		r := run(t, Loop{Every: time.Second, Quiet: []error{quiet}})
		r.from(0, errBroken)
		after(1500 * time.Millisecond)
		r.from(0, quiet)
		after(time.Minute)
		r.end()
		require.NotContains(t, r.said.String(), "works again")
		require.Equal(t, 1, bytes.Count(r.said.Bytes(), []byte("\n")))
	})
}

func TestAUnitEndsWithItsLimitAndItsLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		r := run(t, Loop{Every: time.Second, Limit: 3 * time.Second, Unit: hangs})
		after(5 * time.Second)
		require.Equal(t, seconds(0, 4), r.units())
		began := time.Now()
		r.end()
		require.Zero(t, time.Since(began))
		require.Equal(t, 1, bytes.Count(r.said.Bytes(), []byte("\n")), "the end of the process is not a failure")
	})
}

func TestAUnitUnderWayMayEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alive := make(chan error, 1)
		r := run(t, Loop{Every: time.Second, Linger: 10 * time.Second, Unit: func(ctx context.Context) error {
			after(5 * time.Second)
			alive <- ctx.Err()
			return nil
		}})
		began := time.Now()
		r.end()
		require.Equal(t, 5*time.Second, time.Since(began))
		require.NoError(t, <-alive)
		require.Len(t, r.units(), 1, "no other unit begins")
	})
}

func TestALoopThatHasEndedDoesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := Loop{Name: "tested", Every: time.Second, Unit: func(context.Context) error { t.Error("a unit"); return nil }}
	l.Run(ctx)
}

func TestALoopWithoutARestIsAMistake(t *testing.T) {
	l := Loop{Name: "tested", Unit: func(context.Context) error { return nil }}
	require.PanicsWithValue(t, "role tested has neither Every nor Rest nor Wake", func() { l.Run(t.Context()) })
}
