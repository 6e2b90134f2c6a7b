//go:build !linux || race

package socket

import "net"

// Of returns conn unchanged: this package knows Linux's system calls only, and the race detector derives the order of events
// from net.Conn.
func Of(conn net.Conn) net.Conn { return conn }

// Frugal returns conn unchanged, like Of.
func Frugal(conn net.Conn) net.Conn { return conn }
