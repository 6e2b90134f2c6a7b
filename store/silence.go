package store

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// silence knows when a call on any connection of a pool was left without an answer. A server that went away without a word
// leaves all of them open: each would cost a caller a timeout of its own. So what was heard last before then is not used again.
type silence struct{ last atomic.Int64 } // Unix nanoseconds

// silentAfter is how long a read has to wait before the end of its connection counts as silence: callers also end their
// connections because they do not need the answer any more.
const silentAfter = time.Second

// dial opens a connection of the pool.
func (s *silence) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn, nil // a socket of this machine does not go silent
	}
	c := &pooled{TCPConn: tcp, silence: s}
	c.heard.Store(time.Now().UnixNano())
	return c, nil
}

// pooled is one connection of the pool.
type pooled struct {
	*net.TCPConn
	silence *silence
	heard   atomic.Int64 // when it last brought something, Unix nanoseconds
}

// Read implements net.Conn.
func (c *pooled) Read(p []byte) (int, error) {
	began := time.Now()
	n, err := c.TCPConn.Read(p)
	now := time.Now()
	if n > 0 {
		c.heard.Store(now.UnixNano())
	}
	if err != nil && now.Sub(began) >= silentAfter && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)) {
		c.silence.last.Store(now.UnixNano())
	}
	return n, err
}

var errSilence = errors.New("another connection of the pool was left without an answer since this one was heard")

// SyscallConn is what the driver looks at a connection by before it uses it again; with an error it takes another.
func (c *pooled) SyscallConn() (syscall.RawConn, error) {
	if c.heard.Load() < c.silence.last.Load() {
		return nil, errSilence
	}
	return c.TCPConn.SyscallConn()
}
