package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// CloseListener closes a listener and returns the connections that the kernel has accepted for it and this process has not
// taken yet. A plain close resets these, although a peer whose connection is open may have sent its request already. Peers that
// connect afterwards are refused. It returns no connections of a listener that is not TCP.
func CloseListener(listener net.Listener) (accepted []net.Conn, err error) {
	tcp, is := listener.(*net.TCPListener)
	if !is {
		return nil, listener.Close()
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	var waiting []int
	var fault error
	err = raw.Control(func(fd uintptr) {
		waiting = takeAll(int(fd))
		fault = syscall.Shutdown(int(fd), syscall.SHUT_RD) // at once: a peer that connects between the two calls is reset
	})
	if fault != nil {
		err = errors.Join(err, fmt.Errorf("stop listening on %s: %w", listener.Addr(), fault))
	}
	for _, fd := range waiting {
		conn, fault := connOf(fd)
		if fault != nil {
			err = errors.Join(err, fault)
			continue
		}
		accepted = append(accepted, conn)
	}
	return accepted, errors.Join(err, listener.Close())
}

// takeAll accepts what waits in the queue of a listening socket, whose calls never block.
func takeAll(fd int) (waiting []int) {
	for {
		conn, _, err := syscall.Accept4(fd, syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
		switch {
		case err == nil:
			waiting = append(waiting, conn)
		case errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.ECONNABORTED): // the next may wait behind it
		default: // none waits, or this process may open no further file
			return waiting
		}
	}
}

// connOf makes a connection of a file descriptor.
func connOf(fd int) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), "connection")
	defer file.Close() // the connection has a copy
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("take over an accepted connection: %w", err)
	}
	return conn, nil
}
