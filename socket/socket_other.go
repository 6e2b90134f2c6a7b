//go:build !linux

package socket

import "net"

// Of returns conn as it is: what this package knows of system calls is Linux's.
func Of(conn net.Conn) net.Conn { return conn }
