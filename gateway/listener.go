package gateway

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Bounds of the accept loop.
const (
	maxRefusing   = 256 // connections over the bound that are being told so; one more is closed without a word
	acceptPause   = 20 * time.Millisecond
	lingerTimeout = time.Second
	lingerBytes   = 256 << 10
)

// boundedListener holds the number of open connections under a bound. fasthttp's own bound answers in plain text, and a
// transient fault of accept, such as too many open files, would end its server: both are handled here.
type boundedListener struct {
	net.Listener
	bound    int64
	open     atomic.Int64
	refusing atomic.Int64
	refused  func()
	answer   []byte // the whole response for a connection over the bound
}

// Accept returns the next connection within the bound.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		switch {
		case err != nil && transient(err):
			time.Sleep(acceptPause) // files or memory are short: let some connections end
			continue
		case err != nil:
			return nil, err
		}
		if l.open.Add(1) <= l.bound {
			return &boundedConn{Conn: conn, listener: l}, nil
		}
		l.open.Add(-1)
		l.refused()
		if l.refusing.Add(1) > maxRefusing {
			l.refusing.Add(-1)
			_ = conn.Close() // nothing was promised to it
			continue
		}
		go l.refuse(conn)
	}
}

func (l *boundedListener) refuse(conn net.Conn) {
	defer l.refusing.Add(-1)
	_ = conn.SetWriteDeadline(time.Now().Add(lingerTimeout)) // a failed write is a failed close, below
	_, _ = conn.Write(l.answer)
	linger(conn)
	_ = conn.Close()
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

// boundedConn gives its place back once, when it is closed.
type boundedConn struct {
	net.Conn
	listener *boundedListener
	once     sync.Once
	lingers  atomic.Bool // the peer may still be sending: do not reset the connection under its answer
}

// Close closes the connection, after letting the peer read its answer where that was asked for.
func (c *boundedConn) Close() error {
	if c.lingers.Load() {
		linger(c.Conn)
	}
	err := c.Conn.Close()
	c.once.Do(func() { c.listener.open.Add(-1) })
	return err
}

// linger ends our direction and swallows what still arrives, within bounds. Closing with unread input would reset the
// connection, and the peer might never see why it was refused.
func linger(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if conn.SetReadDeadline(time.Now().Add(lingerTimeout)) == nil {
		_, _ = io.CopyN(io.Discard, conn, lingerBytes) // the peer's end, the bound or the deadline: all end it
	}
}
