package gateway

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// socketPair returns a socket and its peer over loopback TCP.
func socketPair(t testing.TB) (*socket, net.Conn, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	peer, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	conn, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(); _ = peer.Close() })
	s := newSocket(conn)
	require.NotNil(t, s)
	return s, conn, peer
}

func TestSocketReadsWhatComesUntilTheEnd(t *testing.T) {
	s, _, peer := socketPair(t)
	go func() {
		for _, piece := range []string{"one ", "two ", "three"} {
			_, _ = io.WriteString(peer, piece) // what is missing fails the test below
		}
		_ = peer.Close()
	}()
	var got []byte
	for {
		buf := make([]byte, 3)
		n, err := s.read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
	}
	require.Equal(t, "one two three", string(got))
}

// TestSocketWritesMoreThanTheKernelTakes: the peer reads late, so that the write has to wait.
func TestSocketWritesMoreThanTheKernelTakes(t *testing.T) {
	s, conn, peer := socketPair(t)
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
		n, err := s.write(sent)
		written <- result{n, err}
		_ = conn.Close()
	}()
	got, err := io.ReadAll(peer)
	require.NoError(t, err)
	require.Equal(t, sent, got)
	require.Equal(t, result{len(sent), nil}, <-written)
}

func TestSocketObeysDeadlines(t *testing.T) {
	s, conn, _ := socketPair(t)
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := s.read(make([]byte, 10))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	n, err := s.write(make([]byte, 64<<20)) // nobody reads
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Less(t, n, 64<<20)
}

func TestSocketTellsOfAPeerThatIsGone(t *testing.T) {
	s, _, peer := socketPair(t)
	require.NoError(t, peer.(*net.TCPConn).SetLinger(0)) // a reset
	require.NoError(t, peer.Close())
	_, err := s.read(make([]byte, 10))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	_, err = s.write([]byte("late"))
	require.ErrorIs(t, err, syscall.EPIPE)
}

func TestClosedSocketEndsAReadUnderWay(t *testing.T) {
	s, conn, _ := socketPair(t)
	ended := make(chan error, 1)
	go func() {
		_, err := s.read(make([]byte, 10))
		ended <- err
	}()
	require.NoError(t, conn.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
}

func TestSocketIsForTCPAlone(t *testing.T) {
	one, other := net.Pipe()
	require.Nil(t, newSocket(one))
	conn := &boundedConn{Conn: one, listener: &boundedListener{}}
	go func() { _, _ = io.WriteString(other, "x"); _ = other.Close() }()
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
}

// TestSocketAllocatesNothing: it is under every request.
func TestSocketAllocatesNothing(t *testing.T) {
	s, _, peer := socketPair(t)
	buf := make([]byte, 64)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, err := peer.Write(buf)
		require.NoError(t, err)
		for got := 0; got < len(buf); {
			n, err := s.read(buf)
			require.NoError(t, err)
			got += n
		}
		_, err = s.write(buf)
		require.NoError(t, err)
		_, err = io.ReadFull(peer, buf)
		require.NoError(t, err)
	}))
}

// BenchmarkSocket is a request and its answer over loopback, beside those of net.Conn.
func BenchmarkSocket(b *testing.B) {
	s, conn, peer := socketPair(b)
	go func() { _, _ = io.Copy(peer, peer) }() // ends with the connection
	for _, way := range []struct {
		name        string
		read, write func([]byte) (int, error)
	}{{"net", conn.Read, conn.Write}, {"socket", s.read, s.write}} {
		b.Run(way.name, func(b *testing.B) {
			buf := make([]byte, 512)
			for b.Loop() {
				if _, err := way.write(buf); err != nil {
					b.Fatal(err)
				}
				for got := 0; got < len(buf); {
					n, err := way.read(buf)
					if err != nil {
						b.Fatal(err)
					}
					got += n
				}
			}
		})
	}
}
