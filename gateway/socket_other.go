//go:build !linux

package gateway

import "net"

// socket is for Linux alone; elsewhere connections are read and written as net does.
type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func (s *socket) read([]byte) (int, error)  { panic("gateway: there is no socket") }
func (s *socket) write([]byte) (int, error) { panic("gateway: there is no socket") }
