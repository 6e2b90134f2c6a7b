//go:build !race

package socket

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// Of returns a connection that reads and writes conn without the scheduler. One goroutine at a time may read and one may
// write, as with most users of connections; what is not TCP is returned as it is.
func Of(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	c := &tcpConn{TCPConn: tcp, raw: raw}
	c.in.try, c.out.try = c.in.read, c.out.write
	return c
}

// tcpConn is a TCP connection with a direction for its reader and one for its writer.
type tcpConn struct {
	*net.TCPConn
	raw syscall.RawConn
	in  direction
	out direction
}

// direction holds the argument and the results of the call under way, so that a call allocates nothing.
type direction struct {
	try    func(fd uintptr) bool
	buf    []byte
	n      int
	failed syscall.Errno
}

// Read implements net.Conn.
func (c *tcpConn) Read(p []byte) (int, error) {
	d := &c.in
	if len(p) == 0 {
		return c.TCPConn.Read(p)
	}
	d.buf, d.n, d.failed = p, 0, 0
	err := c.raw.Read(d.try)
	d.buf = nil
	switch {
	case err != nil:
		return 0, err
	case d.failed != 0:
		return 0, d.failed
	case d.n == 0:
		return 0, io.EOF
	}
	return d.n, nil
}

// Write implements net.Conn.
func (c *tcpConn) Write(p []byte) (int, error) {
	d := &c.out
	if len(p) == 0 {
		return c.TCPConn.Write(p)
	}
	d.buf, d.n, d.failed = p, 0, 0
	err := c.raw.Write(d.try)
	d.buf = nil
	if err == nil && d.failed != 0 {
		err = d.failed
	}
	return d.n, err
}

// read reads what there is; false means that there is nothing yet.
func (d *direction) read(fd uintptr) bool {
	for {
		n, _, failed := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(d.buf))), uintptr(len(d.buf)))
		switch failed {
		case 0:
			d.n = int(n)
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

// write writes what is left; false means that the peer has to read first.
func (d *direction) write(fd uintptr) bool {
	for d.n < len(d.buf) {
		left := d.buf[d.n:]
		n, _, failed := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(left))), uintptr(len(left)))
		switch failed {
		case 0:
			d.n += int(n)
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			d.failed = failed
			return true
		}
	}
	return true
}
