package socket

import (
	"context"
	"crypto/tls"
	"net"
)

// Dialer dials as net.Dialer does and returns what Of makes of the connection, as one that ends when a read or a write of it
// times out (see kept).
type Dialer struct {
	net.Dialer
	// Until bounds the life of the connections: with its end they end, and with them whatever waits for an answer; later
	// attempts to connect fail at once. nil: they end by themselves.
	Until context.Context
}

// Dial has the form that sarama asks for.
func (d Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext returns a connection, or the error of net.Dialer.
func (d Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.Until != nil {
		within, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(d.Until, cancel)()
		ctx = within
	}
	conn, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return keep(d.Until, Of(conn)), nil
}

// DialTCP has the form that rueidis asks for. With a configuration of TLS it is the standard library that dials and shakes hands,
// both within the dialer's timeout.
func DialTCP(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if config != nil {
		return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
	}
	return Dialer{Dialer: *dialer}.DialContext(ctx, "tcp", address)
}
