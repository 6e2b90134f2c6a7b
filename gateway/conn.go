package gateway

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a connection's end.
const (
	lingerTimeout = time.Second
	lingerBytes   = 256 << 10
)

// lateness is the delay of a late answer. It is shorter than Retry-After, and limits 600 connections of one buyer to 3,000
// refusals a second.
const lateness = 200 * time.Millisecond

// boundedConn leaves its listener's count of open connections when it is closed, and arms a deadline only before a call that
// can block.
//
// fasthttp sets three deadlines for every request, and arming a timer costs more than many a refusal. So SetReadDeadline and
// SetWriteDeadline only note a deadline. Read and Write arm it, unless the armed one is at most slack earlier. A connection
// whose requests arrive at once then costs one timer a second instead of three a request. fasthttp calls the methods from
// one goroutine; another goroutine may only call Close.
type boundedConn struct {
	net.Conn
	listener *boundedListener
	ahead    interface{ Buffered() int } // bytes that a read takes without waiting; nil: unknown
	peer     netip.Addr
	once     sync.Once
	lingers  atomic.Bool // the peer may still be sending: Close must not reset the connection before it reads the answer
	read     deadline
	write    deadline
	late     bool        // delay the present answer
	delay    *time.Timer // nil until the first delay
}

// delayAnswer waits for lateness, or until the gateway stops.
func (c *boundedConn) delayAnswer(stopping <-chan struct{}) {
	if c.delay == nil {
		c.delay = time.NewTimer(lateness)
	} else {
		c.delay.Reset(lateness)
	}
	select {
	case <-c.delay.C:
	case <-stopping:
		c.delay.Stop()
	}
}

// deadline is the deadline that fasthttp asked for and the one that is armed; zero is none.
type deadline struct{ asked, armed time.Time }

// due reports whether the caller must arm the deadline asked for, and notes it as armed.
func (d *deadline) due(slack time.Duration) bool {
	if d.asked.Equal(d.armed) {
		return false
	}
	if early := d.asked.Sub(d.armed); !d.armed.IsZero() && !d.asked.IsZero() && early >= 0 && early < slack {
		return false
	}
	d.armed = d.asked
	return true
}

// SetReadDeadline notes the deadline of reads.
func (c *boundedConn) SetReadDeadline(t time.Time) error {
	c.read.asked = t
	return nil
}

// SetWriteDeadline notes the deadline of writes.
func (c *boundedConn) SetWriteDeadline(t time.Time) error {
	c.write.asked = t
	return nil
}

// SetDeadline notes both deadlines.
func (c *boundedConn) SetDeadline(t time.Time) error {
	c.read.asked, c.write.asked = t, t
	return nil
}

// Read reads within the noted deadline.
func (c *boundedConn) Read(p []byte) (int, error) {
	if (c.ahead == nil || c.ahead.Buffered() == 0) && c.read.due(c.listener.slack) {
		if err := c.Conn.SetReadDeadline(c.read.armed); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write writes within the noted deadline.
func (c *boundedConn) Write(p []byte) (int, error) {
	if c.write.due(c.listener.slack) {
		if err := c.Conn.SetWriteDeadline(c.write.armed); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// Close closes the connection. If lingers is set, it first gives the peer time to read its answer.
func (c *boundedConn) Close() error {
	if c.lingers.Load() {
		linger(c.Conn)
	}
	err := c.Conn.Close()
	c.once.Do(func() { c.listener.open.Add(-1) })
	return err
}

// linger shuts down the writing side and discards input, at most lingerBytes within lingerTimeout. A close with unread input
// would reset the connection, and the peer might not get the answer.
func linger(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if conn.SetReadDeadline(time.Now().Add(lingerTimeout)) == nil {
		_, _ = io.CopyN(io.Discard, conn, lingerBytes) // the end of input, the bound or the deadline ends it
	}
}
