package gateway

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestGatewayLeavesWordOfWhatItSellsBy: only after it sells by it, and an idle gateway hardly ever.
func TestGatewayLeavesWordOfWhatItSellsBy(t *testing.T) {
	var told []int64
	var s *scene
	s = newScene(t, func(_ *Options, d *Deps) {
		d.Noted = func(_ context.Context, version int64) error {
			require.Equal(t, version, s.gateway.follower.current.Load().version)
			told = append(told, version)
			return nil
		}
	})
	s.open(autumn())
	s.follow()
	require.Equal(t, []int64{1}, told, "the same is not told again")
	s.books.rules(sale.Rules{})
	s.follow()
	require.Equal(t, []int64{1, 2}, told, "rules are a change too")
}

func TestWordIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told, failing := 0, errAway
		w := word{timeout: time.Second, note: func(context.Context, int64) error { told++; return failing }}
		require.ErrorIs(t, w.leave(t.Context(), 7), errAway)
		require.NoError(t, w.leave(t.Context(), 7), "not at once again")
		<-time.After(wordRetry)
		failing = nil
		require.NoError(t, w.leave(t.Context(), 7))
		require.Equal(t, 2, told)
		<-time.After(wordEvery - time.Millisecond)
		require.NoError(t, w.leave(t.Context(), 7))
		require.Equal(t, 2, told)
		<-time.After(time.Millisecond)
		require.NoError(t, w.leave(t.Context(), 7), "a sign of life")
		require.Equal(t, 3, told)
	})
}
