package gateway

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestGatewayWritesTheVersionItSellsBy: it writes a version only after it uses it, and again once in heartbeatEvery.
func TestGatewayWritesTheVersionItSellsBy(t *testing.T) {
	var written []int64
	var s *scene
	s = newScene(t, func(_ *Options, d *Deps) {
		d.Heartbeat = func(_ context.Context, version int64) error {
			require.Equal(t, version, s.gateway.catalogue.current.Load().version)
			written = append(written, version)
			return nil
		}
	})
	s.open(autumn())
	s.pollCatalogue()
	require.Equal(t, []int64{1}, written, "the same version is not written again")
	s.database.rules(sale.Rules{})
	s.pollCatalogue()
	require.Equal(t, []int64{1, 2}, written, "rules are a change too")
}

func TestHeartbeatIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written, failing := 0, errAway
		h := heartbeat{
			timeout: time.Second, write: func(context.Context, int64) error { written++; return failing },
		}
		require.ErrorIs(t, h.beat(t.Context(), 7), errAway)
		require.NoError(t, h.beat(t.Context(), 7), "not at once again")
		<-time.After(heartbeatRetry)
		failing = nil
		require.NoError(t, h.beat(t.Context(), 7))
		require.Equal(t, 2, written)
		<-time.After(heartbeatEvery - time.Millisecond)
		require.NoError(t, h.beat(t.Context(), 7))
		require.Equal(t, 2, written)
		<-time.After(time.Millisecond)
		require.NoError(t, h.beat(t.Context(), 7), "the same version again after a period")
		require.Equal(t, 3, written)
	})
}
