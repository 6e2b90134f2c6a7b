package reserve

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// TestARedisThatLeftWithoutAWord: its connections stay open and carry nothing. They are given up soon enough that everything
// goes on within five seconds.
func TestARedisThatLeftWithoutAWord(t *testing.T) {
	wire := harness.NewWire(t, harness.SharedRedis(t).Addr)
	redis, err := Dial(Options{Namespace: "silence", Addrs: []string{wire.Addr}})
	require.NoError(t, err)
	t.Cleanup(redis.Close)
	ping := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return redis.Ping(ctx)
	}
	require.NoError(t, ping())
	wire.Lose()
	began := time.Now()
	require.ErrorIs(t, ping(), context.DeadlineExceeded)
	require.Eventually(t, func() bool { return ping() == nil }, 40*time.Second, 50*time.Millisecond)
	require.Less(t, time.Since(began), 5*time.Second)
}
