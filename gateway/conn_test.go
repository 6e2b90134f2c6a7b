package gateway

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
)

// pair returns both ends of a loopback connection, the first one bounded.
func pair(t *testing.T) (*boundedConn, *net.TCPConn) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &boundedListener{Listener: inner, bound: 1, slack: time.Second}
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	peer, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = peer.Close() }) // closed twice in some tests
	conn, err := l.Accept()
	require.NoError(t, err)
	return conn.(*boundedConn), peer.(*net.TCPConn)
}

func TestReadDeadlineStrikes(t *testing.T) {
	conn, _ := pair(t)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.NoError(t, conn.Close())
}

func TestWriteDeadlineStrikes(t *testing.T) {
	conn, _ := pair(t)
	require.NoError(t, conn.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
	var err error
	for err == nil { // until the peer's buffers are full
		_, err = conn.Write(make([]byte, 1<<20))
	}
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.NoError(t, conn.Close())
}

func TestDeadlineOnAClosedConnectionIsAnError(t *testing.T) {
	conn, _ := pair(t)
	require.NoError(t, conn.Close())
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Second)), "only noted")
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = conn.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
	require.Zero(t, conn.listener.open.Load())
	require.Error(t, conn.Close())
	require.Zero(t, conn.listener.open.Load(), "a connection is counted out once")
}

// TestLingeringCloseDeliversTheAnswer: unread input must not reset the connection before the peer has read its answer.
func TestLingeringCloseDeliversTheAnswer(t *testing.T) {
	conn, peer := pair(t)
	_, err := io.WriteString(peer, strings.Repeat("unread ", 10_000))
	require.NoError(t, err)
	_, err = conn.Write([]byte("last words"))
	require.NoError(t, err)
	conn.lingers.Store(true)
	closed := make(chan error, 1)
	go func() { closed <- conn.Close() }()
	heard, err := io.ReadAll(peer)
	require.NoError(t, err)
	require.Equal(t, "last words", string(heard))
	require.NoError(t, peer.Close())
	require.NoError(t, <-closed)
}

// TestLingeringEndsAtItsBound: a peer that never stops sending is cut off.
func TestLingeringEndsAtItsBound(t *testing.T) {
	conn, peer := pair(t)
	conn.lingers.Store(true)
	sent := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			_, err = peer.Write(make([]byte, 64<<10))
		}
		sent <- err
	}()
	require.NoError(t, conn.Close())
	require.Error(t, <-sent)
}

func TestConnectionsOverTheBoundAreRefusedOrDropped(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused := make(chan struct{}, 8)
	l := &boundedListener{Listener: inner, bound: 0, answer: []byte("full"), refused: func() { refused <- struct{}{} }}
	accepted := make(chan error, 1)
	go func() { _, err := l.Accept(); accepted <- err }()

	told, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	heard, err := io.ReadAll(told)
	require.NoError(t, err)
	require.Equal(t, "full", string(heard))
	require.NoError(t, told.Close())
	require.Eventually(t, func() bool { return l.refusing.Load() == 0 }, 10*time.Second, time.Millisecond)

	l.refusing.Store(maxRefusing) // as many connections are getting an answer already
	dropped, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	heard, err = io.ReadAll(dropped)
	require.Empty(t, heard)
	if err != nil {
		require.ErrorContains(t, err, "reset")
	}
	require.NoError(t, dropped.Close())
	require.EqualValues(t, maxRefusing, l.refusing.Load())
	<-refused
	<-refused
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-accepted, net.ErrClosed)
	require.Zero(t, l.open.Load())
}

func TestTransientFaults(t *testing.T) {
	require.False(t, transient(errors.New("any")))
	require.False(t, transient(net.ErrClosed))
}

// TestListenerWithoutAddresses: a Unix socket has no addresses, so all clients share one limit.
func TestListenerWithoutAddresses(t *testing.T) {
	inner, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	require.NoError(t, err)
	defer inner.Close()
	peer, err := net.Dial("unix", inner.Addr().String())
	require.NoError(t, err)
	defer peer.Close()
	conn, err := inner.Accept()
	require.NoError(t, err)
	defer conn.Close()
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(conn, nil, true)
	require.Empty(t, addressOf(ctx, nil))
}
