//go:build !linux

package socket

import "net"

// CloseListener closes a listener. Connections that the kernel has accepted for it and nobody has taken are reset.
func CloseListener(listener net.Listener) (accepted []net.Conn, err error) {
	return nil, listener.Close()
}
