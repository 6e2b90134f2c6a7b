package scripts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

func TestDialChecksItsOptions(t *testing.T) {
	for _, o := range []Options{{}, {Addrs: []string{"a:1"}}, {Namespace: "n"}, {Namespace: "n", Addrs: []string{"no-port"}}} {
		_, err := Dial(o)
		require.Error(t, err)
	}
	r := dial(t, Options{Namespace: "n", Addrs: []string{"127.0.0.1:1"}, TLS: encrypted(), Username: "u", Password: "p"})
	option := r.clientOption()
	require.True(t, option.DisableRetry)
	require.NotNil(t, option.TLSConfig)
	err := r.Ping(context.Background())
	require.Error(t, err)
	require.True(t, notSent(err))
	r.Close()
	require.ErrorContains(t, r.Ping(context.Background()), "closed")
}

func TestNotSent(t *testing.T) {
	require.True(t, notSent(fmt.Errorf("x: %w", &net.OpError{Op: "dial", Err: errors.New("refused")})))
	require.False(t, notSent(&net.OpError{Op: "read", Err: errors.New("reset")}))
	require.False(t, notSent(context.DeadlineExceeded))
}

// At the bound on calls in flight a call waits until its context ends, and is not sent then.
func TestCallsInFlightAreBounded(t *testing.T) {
	r := dial(t, Options{Namespace: "n", Addrs: []string{"127.0.0.1:1"}})
	for range maxInFlight {
		require.NoError(t, r.enter(context.Background()))
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	require.True(t, notSent(r.enter(ended)))
	r.leave()
	require.NoError(t, r.enter(context.Background()))
}

// The library takes the exponent of a power of two, and 0 for its own default.
func TestConnectionsArePowersOfTwo(t *testing.T) {
	for connections, power := range map[int]int{0: 1, 1: -1, 2: 1, 3: 2, 4: 2, 5: 3, 64: 6, 256: rueidis.MaxPipelineMultiplex} {
		require.Equal(t, power, multiplex(connections), connections)
	}
}

// TestASilentRedis: the connections stay open and carry no data. The client closes them and works again within five seconds.
func TestASilentRedis(t *testing.T) {
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

func encrypted() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }
