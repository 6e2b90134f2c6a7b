package socket

import (
	"context"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// silent listens and sends nothing; it passes on the connections that it accepts.
func silent(t *testing.T) (address string, accepted <-chan net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	conns := make(chan net.Conn, 8)
	go func() {
		defer close(conns)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		for conn := range conns {
			_ = conn.Close()
		}
	})
	return listener.Addr().String(), conns
}

// TestATimeoutEndsTheConnection: the late answer must not be taken for that of the next question, and the error makes
// the client connect again.
func TestATimeoutEndsTheConnection(t *testing.T) {
	address, accepted := silent(t)
	for name, wait := range map[string]func(net.Conn) error{
		"read":  func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err },
		"write": func(c net.Conn) error { _, err := c.Write(make([]byte, 64<<20)); return err }, // no peer reads
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := Dialer{}.Dial("tcp", address)
			require.NoError(t, err)
			require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Millisecond)))
			err = wait(conn)
			require.ErrorIs(t, err, io.EOF)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			peer := <-accepted
			require.NoError(t, peer.SetDeadline(time.Now().Add(5*time.Second)))
			_, err = io.Copy(io.Discard, peer)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the peer sees the end")
			require.ErrorIs(t, wait(conn), net.ErrClosed)
		})
	}
}

// unheard is a connection whose peer does not acknowledge any more.
type unheard struct {
	net.Conn
	closed bool
}

func (c *unheard) Read([]byte) (int, error) { return 0, syscall.ETIMEDOUT }
func (c *unheard) Close() error             { c.closed = true; return nil }

// TestTheKernelsTimeoutIsOne: the kernel's own timeout is treated as that of a deadline.
func TestTheKernelsTimeoutIsOne(t *testing.T) {
	conn := &unheard{}
	_, err := keep(context.Background(), conn).Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.True(t, conn.closed)
}

// TestConnectionsEndWithTheirClient: calls that wait fail at once, and no connection is opened afterwards.
func TestConnectionsEndWithTheirClient(t *testing.T) {
	address, _ := silent(t)
	until, giveUp := context.WithCancel(t.Context())
	dialer := Dialer{Until: until}
	conn, err := dialer.Dial("tcp", address)
	require.NoError(t, err)
	closed, err := dialer.Dial("tcp", address)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		failed <- err
	}()
	giveUp()
	require.ErrorIs(t, <-failed, net.ErrClosed)
	_, err = dialer.Dial("tcp", address)
	require.ErrorContains(t, err, "operation was canceled")
}
