package settle

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWorkEndsBeforeItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases := newFakeLeases()
		mine := &tenure{leases: leases, name: "x", holder: "me"}
		for range 20 {
			work, cancel, held, err := mine.hold(t.Context())
			require.NoError(t, err)
			require.True(t, held)
			deadline, bounded := work.Deadline()
			require.True(t, bounded)
			require.Greater(t, time.Until(deadline), leaseWork-leaseRenew)
			require.True(t, deadline.Before(leases.until["x"]))
			cancel()
			<-time.After(time.Second)
		}
		require.Equal(t, 7, leases.asked, "renewed when it is due, not with every unit")
		mine.release(t.Context(), slog.New(slog.DiscardHandler))
		require.Empty(t, leases.holder("x"))
	})
}

func TestALeaseThatCannotBeRenewedIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases := newFakeLeases()
		mine := &tenure{leases: leases, name: "x", holder: "me"}
		_, cancel, held, err := mine.hold(t.Context())
		require.NoError(t, err)
		require.True(t, held)
		cancel()
		<-time.After(leaseRenew)
		leases.away = true
		_, _, held, err = mine.hold(t.Context())
		require.ErrorIs(t, err, errAway)
		require.False(t, held)
		leases.away = false
		_, cancel, held, err = mine.hold(t.Context())
		require.NoError(t, err)
		require.True(t, held)
		cancel()
		leases.away = true
		mine.release(t.Context(), slog.New(slog.DiscardHandler)) // it runs out
		require.Equal(t, "me", leases.holder("x"))
	})
}

// A holder that stood still for longer than its lease asks again before it works.
func TestAHolderThatStoodStillAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases := newFakeLeases()
		mine := &tenure{leases: leases, name: "x", holder: "me"}
		_, cancel, _, err := mine.hold(t.Context())
		require.NoError(t, err)
		cancel()
		<-time.After(2 * leaseTTL)
		_, err = leases.AcquireLease(t.Context(), "x", "another", leaseTTL)
		require.NoError(t, err)
		_, _, held, err := mine.hold(t.Context())
		require.NoError(t, err)
		require.False(t, held)
	})
}

func TestAUnitThatHasBegunMayEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		begun, goOn, finished := make(chan struct{}), make(chan struct{}), false
		d := &duty{name: "x", every: time.Second, unit: func(work context.Context) (bool, error) {
			close(begun)
			<-goOn
			finished = work.Err() == nil
			return true, nil
		}}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			d.run(ctx, newFakeLeases(), "me", slog.New(slog.DiscardHandler), func(bool) {})
		}()
		<-begun
		end()
		<-time.After(drainTimeout / 2)
		close(goOn)
		<-ended
		require.True(t, finished, "its context was alive, and no other unit began")
	})
}
