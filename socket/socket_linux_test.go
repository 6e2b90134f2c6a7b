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
	accepted, peer := ends(t)
	conn := Of(accepted)
	require.IsType(t, &tcpConn{}, conn)
	return conn, peer
}

// ends returns both ends of a connection over loopback TCP, the accepted one first.
func ends(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	peer, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	accepted, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = accepted.Close(); _ = peer.Close() })
	return accepted, peer
}

// frugalPair is pair for a connection of Frugal.
func frugalPair(t testing.TB) (*frugalConn, net.Conn) {
	t.Helper()
	accepted, peer := ends(t)
	return Frugal(accepted).(*frugalConn), peer
}

// TestFrugalReadsEveryByteOnce: in whatever pieces the bytes come and are asked for.
func TestFrugalReadsEveryByteOnce(t *testing.T) {
	conn, peer := frugalPair(t)
	sent := make([]byte, 1<<20)
	for i := range sent {
		sent[i] = byte(i>>8 ^ i)
	}
	go func() {
		for at := 0; at < len(sent); {
			size := min(len(sent)-at, 1+at%9001)
			if _, err := peer.Write(sent[at : at+size]); err != nil {
				break // what is missing fails the test below
			}
			at += size
		}
		_ = peer.Close()
	}()
	var got []byte
	for turn := 0; ; turn++ {
		buf := make([]byte, []int{1, 7, 8192, 1, 0, 4096}[turn%6])
		n, err := conn.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
	}
	require.Equal(t, sent, got)
	require.Nil(t, conn.ahead)
}

// TestFrugalReadsAheadOnlyForOneByte: after a read of one byte the rest is there without another call.
func TestFrugalReadsAheadOnlyForOneByte(t *testing.T) {
	conn, peer := frugalPair(t)
	read := func(most int) string {
		buf := make([]byte, most)
		n, err := conn.Read(buf)
		require.NoError(t, err)
		return string(buf[:n])
	}
	_, err := io.WriteString(peer, "a request")
	require.NoError(t, err)
	require.Equal(t, "a", read(1))
	require.Equal(t, 8, conn.Buffered())
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(-time.Second)))
	require.Equal(t, " req", read(4), "no call, so no deadline")
	require.Equal(t, "uest", read(100))
	require.Zero(t, conn.Buffered())
	require.NoError(t, conn.SetReadDeadline(time.Time{}))
	_, err = io.WriteString(peer, "another")
	require.NoError(t, err)
	require.Equal(t, "an", read(2))
	require.Zero(t, conn.Buffered())
}

// TestFrugalEndsAsOthersDo: an end, a deadline and a reset are told, and no buffer stays behind.
func TestFrugalEndsAsOthersDo(t *testing.T) {
	conn, peer := frugalPair(t)
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, conn.SetDeadline(time.Time{}))
	require.NoError(t, peer.Close())
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Nil(t, conn.ahead)

	conn, peer = frugalPair(t)
	require.NoError(t, peer.(*net.TCPConn).SetLinger(0)) // a reset
	require.NoError(t, peer.Close())
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Nil(t, conn.ahead)
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
	require.Same(t, one, Frugal(one))
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
