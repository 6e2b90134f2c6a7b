//go:build !race

package socket

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// Of returns a connection that reads and writes conn without the scheduler. One goroutine at a time may read and one may write,
// as most users of connections do. A connection that is not TCP is returned unchanged.
func Of(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	c := &tcpConn{TCPConn: tcp}
	c.in = direction{trap: syscall.SYS_READ, wait: raw.Read}
	c.out = direction{trap: syscall.SYS_WRITE, wait: raw.Write}
	c.in.try, c.out.try = c.in.once, c.out.all
	return c
}

// tcpConn is a TCP connection with a direction for its reader and one for its writer.
type tcpConn struct {
	*net.TCPConn
	in, out direction
}

// direction holds the argument and the results of the call under way, so that a call allocates nothing.
type direction struct {
	trap   uintptr                           // of the system call
	wait   func(func(fd uintptr) bool) error // calls try, and again when the connection is ready, until try returns true
	try    func(fd uintptr) (done bool)
	buf    []byte
	n      int // bytes of buf that are done
	failed syscall.Errno
}

// Read implements net.Conn.
func (c *tcpConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return c.TCPConn.Read(p)
	}
	n, err := c.in.run(p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write implements net.Conn.
func (c *tcpConn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return c.TCPConn.Write(p)
	}
	return c.out.run(p)
}

// run reads into p or writes p, and returns how many bytes are done.
func (d *direction) run(p []byte) (int, error) {
	d.buf, d.n, d.failed = p, 0, 0
	err := d.wait(d.try)
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
