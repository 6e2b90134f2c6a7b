//go:build !race

package socket

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pair returns a connection as Of makes it and its peer, over loopback TCP.
func pair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	peer, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	accepted, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = accepted.Close(); _ = peer.Close() })
	conn := Of(accepted)
	require.IsType(t, &tcpConn{}, conn)
	return conn, peer
}

func TestReadsWhatComesUntilTheEnd(t *testing.T) {
	conn, peer := pair(t)
	go func() {
		for _, piece := range []string{"one ", "two ", "three"} {
			_, _ = io.WriteString(peer, piece) // what is missing fails the test below
		}
		_ = peer.Close()
	}()
	var got []byte
	for {
		buf := make([]byte, 3)
		n, err := conn.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
	}
	require.Equal(t, "one two three", string(got))
}

// TestWritesMoreThanTheKernelTakes: the peer reads late, so that the write has to wait.
func TestWritesMoreThanTheKernelTakes(t *testing.T) {
	conn, peer := pair(t)
	sent := make([]byte, 8<<20)
	for i := range sent {
		sent[i] = byte(i >> 8)
	}
	type result struct {
		n   int
		err error
	}
	written := make(chan result, 1)
	go func() {
		n, err := conn.Write(sent)
		written <- result{n, err}
		_ = conn.Close()
	}()
	got, err := io.ReadAll(peer)
	require.NoError(t, err)
	require.Equal(t, sent, got)
	require.Equal(t, result{len(sent), nil}, <-written)
}

// TestReadsWhileItWrites: each direction has its own call under way.
func TestReadsWhileItWrites(t *testing.T) {
	conn, peer := pair(t)
	go func() { _, _ = io.Copy(peer, peer) }() // ends with the connection
	sent := make([]byte, 4<<20)
	for i := range sent {
		sent[i] = byte(i >> 8)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Write(sent)
		failed <- err
	}()
	got := make([]byte, len(sent))
	_, err := io.ReadFull(conn, got)
	require.NoError(t, err)
	require.NoError(t, <-failed)
	require.Equal(t, sent, got)
}

func TestObeysDeadlines(t *testing.T) {
	conn, _ := pair(t)
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := conn.Read(make([]byte, 10))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	n, err := conn.Write(make([]byte, 64<<20)) // no peer reads
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Less(t, n, 64<<20)
}

func TestTellsOfAPeerThatIsGone(t *testing.T) {
	conn, peer := pair(t)
	require.NoError(t, peer.(*net.TCPConn).SetLinger(0)) // a reset
	require.NoError(t, peer.Close())
	_, err := conn.Read(make([]byte, 10))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	_, err = conn.Write([]byte("late"))
	require.ErrorIs(t, err, syscall.EPIPE)
}

func TestCloseEndsAReadUnderWay(t *testing.T) {
	conn, _ := pair(t)
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 10))
		ended <- err
	}()
	require.NoError(t, conn.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
}

// TestNothingAskedIsNothingDone: a read into an empty slice is not the end of the stream.
func TestNothingAskedIsNothingDone(t *testing.T) {
	conn, _ := pair(t)
	n, err := conn.Read(nil)
	require.Zero(t, n)
	require.NoError(t, err)
	n, err = conn.Write(nil)
	require.Zero(t, n)
	require.NoError(t, err)
}

func TestWhatIsNotTCPStaysAsItIs(t *testing.T) {
	one, _ := net.Pipe()
	require.Same(t, one, Of(one))
}

// TestAllocatesNothing: every request uses it.
func TestAllocatesNothing(t *testing.T) {
	conn, peer := pair(t)
	buf := make([]byte, 64)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, err := peer.Write(buf)
		require.NoError(t, err)
		_, err = io.ReadFull(conn, buf)
		require.NoError(t, err)
		_, err = conn.Write(buf)
		require.NoError(t, err)
		_, err = io.ReadFull(peer, buf)
		require.NoError(t, err)
	}))
}

// BenchmarkConn measures a request and its answer over loopback, and the same with net.Conn.
func BenchmarkConn(b *testing.B) {
	conn, peer := pair(b)
	go func() { _, _ = io.Copy(peer, peer) }() // ends with the connection
	for name, way := range map[string]net.Conn{"net": conn.(*tcpConn).TCPConn, "socket": conn} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 512)
			for b.Loop() {
				if _, err := way.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(way, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
