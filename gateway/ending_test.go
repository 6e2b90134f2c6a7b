package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
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
	// The listener is closed a moment before answers close their connections.
	for last := (response{}); !last.closes; {
		last = send() // fails on a connection that was closed without such an answer
		require.Equal(t, http.StatusOK, last.status)
	}
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
	require.EqualValues(t, 1, l.connections(), "the end of the gateway waits for it")
	conn, err := l.Accept()
	require.NoError(t, err)
	require.Equal(t, peer.LocalAddr().String(), conn.RemoteAddr().String())
	require.EqualValues(t, 1, l.open.Load())
	require.NoError(t, conn.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

// TestAListenerThatComesTooLateHangsUp: Serve begins after Shutdown, and a peer has connected meanwhile.
func TestAListenerThatComesTooLateHangsUp(t *testing.T) {
	s := newScene(t)
	require.NoError(t, s.gateway.Shutdown(t.Context()))
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	peer, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	defer peer.Close()
	require.NoError(t, s.gateway.Serve(inner))
	require.NoError(t, peer.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = peer.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}
