package gateway

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// socket reads and writes a TCP connection without telling the scheduler that a system call may block: on the runtime's
// sockets none does. An ordinary read or write gives its processor away and takes it back, and on a busy machine the runtime
// hands it to another thread in between, which costs more than the call (BenchmarkAgainstBare). Waiting and deadlines are
// those of net.Conn.
//
// It belongs to the goroutine that serves the connection: buf, n and failed are the argument and the results of the call
// under way, kept here so that a call allocates nothing.
type socket struct {
	raw      syscall.RawConn
	tryRead  func(uintptr) bool
	tryWrite func(uintptr) bool
	buf      []byte
	n        int
	failed   syscall.Errno
}

// newSocket returns nil for a connection that is not TCP.
func newSocket(conn net.Conn) *socket {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	s.tryRead, s.tryWrite = s.readOnce, s.writeOn
	return s
}

func (s *socket) read(p []byte) (int, error) {
	s.buf, s.n, s.failed = p, 0, 0
	err := s.raw.Read(s.tryRead)
	s.buf = nil
	switch {
	case err != nil:
		return 0, err
	case s.failed != 0:
		return 0, s.failed
	case s.n == 0:
		return 0, io.EOF
	}
	return s.n, nil
}

func (s *socket) write(p []byte) (int, error) {
	s.buf, s.n, s.failed = p, 0, 0
	err := s.raw.Write(s.tryWrite)
	s.buf = nil
	if err == nil && s.failed != 0 {
		err = s.failed
	}
	return s.n, err
}

// readOnce reads what there is; false means that there is nothing yet.
func (s *socket) readOnce(fd uintptr) bool {
	for {
		n, _, failed := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(s.buf))), uintptr(len(s.buf)))
		switch failed {
		case 0:
			s.n = int(n)
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			s.failed = failed
			return true
		}
	}
}

// writeOn writes what is left; false means that the peer has to read first.
func (s *socket) writeOn(fd uintptr) bool {
	for s.n < len(s.buf) {
		left := s.buf[s.n:]
		n, _, failed := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(left))), uintptr(len(left)))
		switch failed {
		case 0:
			s.n += int(n)
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			s.failed = failed
			return true
		}
	}
	return true
}
