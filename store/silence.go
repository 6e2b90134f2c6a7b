package store

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// silences are the silences of the servers of a pool, by address: one that hangs says nothing about the connections to another.
type silences struct {
	mu sync.Mutex
	of map[string]*silence
}

// dial opens a connection of the pool.
func (s *silences) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return s.at(address).dial(ctx, network, address)
}

func (s *silences) at(address string) *silence {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[address] == nil {
		s.of[address] = new(silence)
	}
	return s.of[address]
}

// silence records when a call on any connection of a pool to one server last got no answer. A server that fails without closing
// its connections leaves all of them open, and each would cost a caller a timeout. So the pool does not use a connection again
// that has received nothing since then.
type silence struct{ last atomic.Int64 } // Unix nanoseconds

// silentAfter is how long a read must wait before the end of its connection counts as silence, because a caller also closes
// its connection when it no longer needs the answer.
const silentAfter = time.Second

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
	heard   atomic.Int64 // time of the last data, Unix nanoseconds
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

var errSilence = errors.New("another connection to the server has got no answer since the last data on this one")

// SyscallConn returns an error after a silence. The driver calls it before it uses the connection again, and takes another
// connection after an error.
func (c *pooled) SyscallConn() (syscall.RawConn, error) {
	if c.heard.Load() < c.silence.last.Load() {
		return nil, errSilence
	}
	return c.TCPConn.SyscallConn()
}
