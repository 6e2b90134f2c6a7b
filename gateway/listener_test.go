package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestConnectionsAreBounded(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.MaxConnections = 2 })
	var kept []net.Conn
	for range 2 {
		conn, err := net.Dial("tcp", s.address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, s.read(bufio.NewReader(conn), "GET").status)
		kept = append(kept, conn)
	}
	r := s.send("GET", "/livez", "")
	s.refused(r, sale.OutcomeOverloaded, nil)
	require.EqualValues(t, 1, s.counted(sale.OutcomeOverloaded))

	require.NoError(t, kept[0].Close())
	require.Eventually(t, func() bool { return s.send("GET", "/livez", "").status == http.StatusOK }, 10*time.Second,
		5*time.Millisecond)
}

// faultyListener fails a few times before it accepts.
type faultyListener struct {
	net.Listener
	faults []error
}

func (l *faultyListener) Accept() (net.Conn, error) {
	if len(l.faults) > 0 {
		err := l.faults[0]
		l.faults = l.faults[1:]
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	return l.Listener.Accept()
}

func TestTransientFaultsOfAcceptDoNotEndTheServer(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &boundedListener{Listener: &faultyListener{inner, []error{syscall.EMFILE, syscall.ECONNABORTED, syscall.ENFILE}},
		bound: 1}
	go func() {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
	}()
	conn, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Zero(t, l.open.Load())
	require.NoError(t, conn.(*boundedConn).listener.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, l.Close(), "closing twice does nothing")
}

func TestFinalFaultOfAcceptIsReported(t *testing.T) {
	s := newScene(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	broken := errors.New("broken for good")
	err = s.gateway.Serve(&faultyListener{inner, []error{broken}})
	require.ErrorIs(t, err, broken)
	require.NoError(t, inner.Close())
}

// recordingConn notes the deadlines that are really armed.
type recordingConn struct {
	net.Conn
	reads, writes []time.Time
}

func (c *recordingConn) SetReadDeadline(t time.Time) error { c.reads = append(c.reads, t); return nil }
func (c *recordingConn) SetWriteDeadline(t time.Time) error {
	c.writes = append(c.writes, t)
	return nil
}
func (c *recordingConn) Read(p []byte) (int, error)  { return len(p), nil }
func (c *recordingConn) Write(p []byte) (int, error) { return len(p), nil }

func TestDeadlinesAreArmedWhereSomethingCanBlock(t *testing.T) {
	inner := &recordingConn{}
	c := &boundedConn{Conn: inner, listener: &boundedListener{slack: time.Second}}
	read := func(deadline time.Time) {
		require.NoError(t, c.SetReadDeadline(deadline))
		_, err := c.Read(make([]byte, 1))
		require.NoError(t, err)
	}
	read(noon)
	read(noon.Add(999 * time.Millisecond)) // the armed one strikes early enough
	require.Equal(t, []time.Time{noon}, inner.reads)
	read(noon.Add(time.Second))
	read(noon) // an earlier moment is always armed
	read(time.Time{})
	read(noon)
	require.Equal(t, []time.Time{noon, noon.Add(time.Second), noon, {}, noon}, inner.reads)

	require.NoError(t, c.SetDeadline(noon))
	require.Empty(t, inner.writes, "nothing is written yet")
	_, err := c.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, c.SetWriteDeadline(noon.Add(time.Millisecond)))
	_, err = c.Write([]byte("x"))
	require.NoError(t, err)
	require.Equal(t, []time.Time{noon}, inner.writes)
}

// aheadConn has bytes that a read takes without waiting.
type aheadConn struct{ recordingConn }

func (c *aheadConn) Buffered() int { return 1 }

func TestNoDeadlineIsArmedForWhatIsThere(t *testing.T) {
	inner := &aheadConn{}
	c := &boundedConn{Conn: inner, ahead: inner, listener: &boundedListener{slack: time.Second}}
	require.NoError(t, c.SetReadDeadline(noon))
	_, err := c.Read(make([]byte, 1))
	require.NoError(t, err)
	require.Empty(t, inner.reads)
}

func TestIdleConnectionsEnd(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.IdleTimeout = 60 * time.Millisecond })
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	reader := bufio.NewReader(conn)
	for range 3 {
		_, err = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, s.read(reader, "GET").status)
	}
	_, err = reader.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

func TestShutdownEndsReadinessAndAccepting(t *testing.T) {
	s := newScene(t).open(autumn())
	release, entered := make(chan struct{}), make(chan struct{})
	s.stock.set(func(f *fakeStock) {
		f.decide = func(p sale.Purchase) sale.Answer {
			close(entered)
			<-release
			return sale.Answer{Outcome: sale.OutcomeQueued, OrderID: 1, CreatedAt: noon}
		}
	})
	answer := make(chan response, 1)
	go func() { answer <- s.press("ann", "") }()
	<-entered
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		ended <- s.gateway.Shutdown(ctx)
	}()
	require.Eventually(t, func() bool {
		_, err := net.Dial("tcp", s.address)
		return err != nil && s.gateway.Ready()["gateway"] == "draining"
	}, 10*time.Second, time.Millisecond)
	close(release)
	require.Equal(t, http.StatusAccepted, (<-answer).status, "a request in progress gets its answer")
	require.NoError(t, <-ended)
}

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	s := newScene(t).open(autumn())
	release, entered := make(chan struct{}), make(chan struct{})
	s.stock.set(func(f *fakeStock) {
		f.decide = func(sale.Purchase) sale.Answer {
			close(entered)
			<-release
			return sale.Answer{Outcome: sale.OutcomePaused}
		}
	})
	answer := make(chan response, 1)
	go func() { answer <- s.press("ann", "") }()
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, s.gateway.Shutdown(ctx), context.Canceled)
	close(release)
	<-answer
}

// During FarewellTime a gateway accepts connections and closes each after its answer.
func TestShutdownSaysFarewellFirst(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.FarewellTime = time.Minute }).open(autumn())
	const ask = "GET /v1/time HTTP/1.1\r\nHost: shop\r\n\r\n"
	require.False(t, s.raw(ask).closes)
	ctx, hurry := context.WithCancel(context.Background())
	defer hurry()
	ended := make(chan error, 1)
	go func() { ended <- s.gateway.Shutdown(ctx) }()
	require.Eventually(t, func() bool { return s.gateway.Ready()["gateway"] == "draining" }, 10*time.Second, time.Millisecond)
	answer := s.raw(ask)
	hurry()
	require.Equal(t, http.StatusOK, answer.status)
	require.True(t, answer.closes)
	if err := <-ended; err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err := net.Dial("tcp", s.address)
	require.Error(t, err)
}
