package gateway

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"flashsale/socket"
)

// Bounds of the accept loop.
const (
	maxRefusing = 256 // connections over the bound that get an answer at the same time; one more is closed without one
	acceptPause = 20 * time.Millisecond
)

// boundedListener limits the number of open connections. It replaces fasthttp's own bound, which answers in plain text. It
// also handles transient errors of accept, such as too many open files, which would end fasthttp's server.
type boundedListener struct {
	net.Listener
	bound    int64
	open     atomic.Int64
	refusing atomic.Int64
	refused  func()
	answer   []byte        // the whole response for a connection over the bound
	slack    time.Duration // a deadline may expire that much earlier than fasthttp asked for

	mu     sync.Mutex
	closed bool
	late   []net.Conn // that the kernel had accepted when the listener was closed: their peers may have sent a request
}

// Close closes the listener; a second call does nothing. Accept still returns the connections that the kernel has accepted.
func (l *boundedListener) Close() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.late, err = socket.CloseListener(l.Listener)
	return err
}

// nextLate returns a connection of a closed listener, or the error of its Accept.
func (l *boundedListener) nextLate(accept error) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.closed:
		return nil, accept
	case len(l.late) == 0:
		return nil, net.ErrClosed
	}
	conn := l.late[0]
	l.late = l.late[1:]
	return conn, nil
}

// abandon closes a listener from which no goroutine accepts, and the connections that wait at it: their peers would wait for an
// answer until the process ends.
func (l *boundedListener) abandon() error {
	faults := l.Close()
	for {
		conn, err := l.nextLate(net.ErrClosed)
		if err != nil {
			return faults
		}
		faults = errors.Join(faults, conn.Close())
	}
}

// connections returns the number of open connections, with those that Accept has still to return.
func (l *boundedListener) connections() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open.Load() + int64(len(l.late))
}

// Accept returns the next connection within the bound.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		switch {
		case err != nil && transient(err):
			time.Sleep(acceptPause) // too few files or too little memory: give connections time to end
			continue
		case err != nil:
			if conn, err = l.nextLate(err); err != nil {
				return nil, err
			}
		}
		if l.open.Add(1) <= l.bound {
			c := &boundedConn{Conn: socket.Frugal(conn), listener: l, peer: peerOf(conn)}
			c.ahead, _ = c.Conn.(interface{ Buffered() int })
			return c, nil
		}
		l.open.Add(-1)
		l.refused()
		if l.refusing.Add(1) > maxRefusing {
			l.refusing.Add(-1)
			_ = conn.Close() // the connection has had no request
			continue
		}
		go l.refuse(conn)
	}
}

func (l *boundedListener) refuse(conn net.Conn) {
	defer l.refusing.Add(-1)
	if conn.SetWriteDeadline(time.Now().Add(lingerTimeout)) == nil {
		_, _ = conn.Write(l.answer) // fails if the peer is gone, and then no answer is needed
		linger(conn)
	}
	_ = conn.Close() // the connection has had no request
}

func transient(err error) bool {
	for _, code := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
