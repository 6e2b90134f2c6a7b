//go:build !race

package socket

import (
	"io"
	"net"
	"sync"
	"syscall"
	"unsafe"
)

// Of returns a connection that reads and writes conn without the scheduler. One goroutine at a time may read and one may write,
// as most users of connections do. A connection that is not TCP is returned unchanged.
func Of(conn net.Conn) net.Conn {
	c := &tcpConn{}
	if !c.wrap(conn) {
		return conn
	}
	return c
}

// Frugal is Of for a reader that asks for one byte when it waits for the next request, and for the rest afterwards. Such a
// connection holds no buffer while it waits, and both reads together cost one system call.
func Frugal(conn net.Conn) net.Conn {
	c := &frugalConn{}
	if !c.wrap(conn) {
		return conn
	}
	c.fill = c.fillOnce
	return c
}

// tcpConn is a TCP connection with a direction for its reader and one for its writer.
type tcpConn struct {
	*net.TCPConn
	in, out     direction
	read, write func(fd uintptr) (done bool) // one try of each
}

// direction holds the argument and the results of the call under way, so that a call allocates nothing.
type direction struct {
	trap   uintptr                           // of the system call
	wait   func(func(fd uintptr) bool) error // calls a try, and again when the connection is ready, until the try returns true
	buf    []byte
	n      int // bytes of buf that are done
	failed syscall.Errno
}

func (c *tcpConn) wrap(conn net.Conn) bool {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	c.TCPConn = tcp
	c.in = direction{trap: syscall.SYS_READ, wait: raw.Read}
	c.out = direction{trap: syscall.SYS_WRITE, wait: raw.Write}
	c.read, c.write = c.in.once, c.out.all
	return true
}

// Read implements net.Conn.
func (c *tcpConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return c.TCPConn.Read(p)
	}
	return atEnd(c.in.run(p, c.read))
}

// Write implements net.Conn.
func (c *tcpConn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return c.TCPConn.Write(p)
	}
	return c.out.run(p, c.write)
}

// atEnd is the result of a read: nothing without an error is the end.
func atEnd(n int, err error) (int, error) {
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// frugalConn is a connection of Frugal.
type frugalConn struct {
	tcpConn
	ahead *ahead // what a read of one byte has read beyond it; nil: nothing
	fill  func(fd uintptr) (done bool)
}

// ahead is a buffer with bytes that are read and not yet asked for.
type ahead struct {
	bytes    [8 << 10]byte // what the reader takes at once: a close resets the connection while bytes are unread
	from, to int
}

var aheads = sync.Pool{New: func() any { return new(ahead) }}

// Read implements net.Conn.
func (c *frugalConn) Read(p []byte) (int, error) {
	if c.ahead == nil {
		if len(p) != 1 {
			return c.tcpConn.Read(p)
		}
		if n, err := atEnd(c.in.run(nil, c.fill)); err != nil {
			return n, err
		}
	}
	a := c.ahead
	n := copy(p, a.bytes[a.from:a.to])
	if a.from += n; a.from == a.to {
		c.ahead = nil
		aheads.Put(a)
	}
	return n, nil
}

// Buffered returns how many bytes the next read returns without a system call.
func (c *frugalConn) Buffered() int {
	if c.ahead == nil {
		return 0
	}
	return c.ahead.to - c.ahead.from
}

// fillOnce reads into a buffer that it keeps if there is something to read.
func (c *frugalConn) fillOnce(fd uintptr) (done bool) {
	a := aheads.Get().(*ahead)
	c.in.buf = a.bytes[:]
	done = c.in.once(fd)
	if a.from, a.to = 0, c.in.n; a.to > 0 {
		c.ahead = a
	} else {
		aheads.Put(a)
	}
	return done
}

// run reads into p or writes p by a try, and returns how many bytes are done.
func (d *direction) run(p []byte, try func(fd uintptr) (done bool)) (int, error) {
	d.buf, d.n, d.failed = p, 0, 0
	err := d.wait(try)
	d.buf = nil
	if err == nil && d.failed != 0 {
		err = d.failed
	}
	return d.n, err
}

// all calls once until nothing of buf is left; false means that the peer has to read first.
func (d *direction) all(fd uintptr) (done bool) {
	for d.n < len(d.buf) && d.failed == 0 {
		if !d.once(fd) {
			return false
		}
	}
	return true
}

// once makes one system call for the rest of buf; false means that the call would block.
func (d *direction) once(fd uintptr) (done bool) {
	left := d.buf[d.n:]
	for {
		n, _, failed := syscall.RawSyscall(d.trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(left))), uintptr(len(left)))
		switch failed {
		case 0:
			d.n += int(n)
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			d.failed = failed
			return true
		}
	}
}
