package rehearse

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// The end of a rehearsal waits for a beat that has begun, and does not cut it off.
func TestABeatIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		begun, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			ended <- beating(ctx, func(ctx context.Context) error {
				begun <- struct{}{}
				<-goOn
				return ctx.Err()
			})
		}()
		for range 3 {
			<-begun
			goOn <- struct{}{}
		}
		<-begun
		end()
		synctest.Wait()
		select {
		case err := <-ended:
			require.Fail(t, "the beat goes on", "%v", err)
		default:
		}
		goOn <- struct{}{}
		require.NoError(t, <-ended)
	})
}

func TestABeatThatFailsEndsTheRehearsal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, beats := errors.New("the lock is lost"), 0
		require.ErrorIs(t, beating(t.Context(), func(ctx context.Context) error {
			if beats++; beats == 3 {
				return lost
			}
			_, bounded := ctx.Deadline()
			require.True(t, bounded)
			return nil
		}), lost)
	})
}
