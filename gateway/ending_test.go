package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestShutdownAnswersOnOpenConnections: after the farewell the gateway refuses new connections and still answers once on the
// open ones, so that a proxy meets the refusal before its idle connections are closed.
func TestShutdownAnswersOnOpenConnections(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.FarewellTime = 4 * time.Second }).open(autumn())
	const ask = "GET /v1/time HTTP/1.1\r\nHost: shop\r\n\r\n"
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()
	reader := bufio.NewReader(conn)
	send := func() response {
		_, err := io.WriteString(conn, ask)
		require.NoError(t, err)
		return s.read(reader, "GET")
	}
	require.False(t, send().closes)
	require.Equal(t, 1.0, s.metric("flashsale_buyer_connections", "", ""))
	ended := make(chan error, 1)
	go func() { ended <- s.gateway.Shutdown(context.Background()) }()
	require.Eventually(t, func() bool {
		other, err := net.Dial("tcp", s.address)
		if err == nil {
			_ = other.Close()
		}
		return err != nil
	}, 20*time.Second, 10*time.Millisecond, "new connections are refused")
	last := send()
	require.Equal(t, http.StatusOK, last.status)
	require.True(t, last.closes)
	begin := time.Now()
	require.NoError(t, <-ended)
	require.Less(t, time.Since(begin), 1500*time.Millisecond, "without an open connection there is nothing to wait for")
}

// TestClosedListenerHandsOverWhoHasConnected: a connection that nobody has accepted when the listener is closed is served.
func TestClosedListenerHandsOverWhoHasConnected(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &boundedListener{Listener: inner, bound: 10, slack: time.Second}
	peer, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	defer peer.Close()
	require.NoError(t, l.Close())
	require.NoError(t, l.Close(), "a second call does nothing")
	conn, err := l.Accept()
	require.NoError(t, err)
	require.Equal(t, peer.LocalAddr().String(), conn.RemoteAddr().String())
	require.EqualValues(t, 1, l.open.Load())
	require.NoError(t, conn.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}
