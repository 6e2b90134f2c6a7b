//go:build !linux || race

package socket

import "net"

// Of returns conn as it is: what this package knows of system calls is Linux's, and the race detector takes what goes through
// net.Conn for the order in which things happen.
func Of(conn net.Conn) net.Conn { return conn }
