package socket

import (
	"context"
	"crypto/tls"
	"net"
)

// Dialer dials as net.Dialer does and returns what Of makes of the connection.
type Dialer struct{ net.Dialer }

// Dial has the form that sarama asks for.
func (d Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext returns a connection, or the error of net.Dialer.
func (d Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return Of(conn), nil
}

// DialTCP has the form that rueidis asks for. With a configuration of TLS it is the standard library that dials and shakes hands,
// both within the dialer's timeout.
func DialTCP(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if config != nil {
		return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
	}
	return Dialer{*dialer}.DialContext(ctx, "tcp", address)
}
