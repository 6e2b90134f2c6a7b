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

// lateness is how long a late answer is held back: below what Retry-After asks for, and enough that 600
// connections of one buyer are 3,000 refusals a second and not as many as the processor can make.
const lateness = 200 * time.Millisecond

// boundedConn leaves its listener's count of open connections once, when it is closed, and arms deadlines only where
// something can block.
//
// fasthttp sets three deadlines for every request, and arming a timer costs more than many a refusal. Here a deadline is
// only noted; it is armed when a read or write needs it, and not even then while one is armed that strikes at most
// slack earlier. A request whose bytes are there already so costs one timer a second and not three. The methods are
// called by the connection's own goroutine alone, as fasthttp does; only Close may be called by another.
type boundedConn struct {
	net.Conn
	listener *boundedListener
	peer     netip.Addr
	once     sync.Once
	lingers  atomic.Bool // the peer may still be sending: do not reset the connection under its answer
	read     deadline
	write    deadline
	late     bool        // the answer under way is to be held back
	holding  *time.Timer // nil until the first one
}

// holdBack waits for the lateness, or until the gateway stops.
func (c *boundedConn) holdBack(stopping <-chan struct{}) {
	if c.holding == nil {
		c.holding = time.NewTimer(lateness)
	} else {
		c.holding.Reset(lateness)
	}
	select {
	case <-c.holding.C:
	case <-stopping:
		c.holding.Stop()
	}
}

// deadline is the moment asked for and the moment armed; zero is never.
type deadline struct{ asked, armed time.Time }

// due reports whether the armed moment does not serve for the one asked, and takes it as armed then.
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

// SetReadDeadline notes when a read must have ended.
func (c *boundedConn) SetReadDeadline(t time.Time) error {
	c.read.asked = t
	return nil
}

// SetWriteDeadline notes when a write must have ended.
func (c *boundedConn) SetWriteDeadline(t time.Time) error {
	c.write.asked = t
	return nil
}

// SetDeadline notes both.
func (c *boundedConn) SetDeadline(t time.Time) error {
	c.read.asked, c.write.asked = t, t
	return nil
}

// Read reads within the noted deadline.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.read.due(c.listener.slack) {
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
