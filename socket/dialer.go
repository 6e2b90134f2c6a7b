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

// DialTCP has the form that rueidis asks for. With a configuration of TLS the connection is TLS and its handshake done; the
// server's name is taken from the address where the configuration has none.
func DialTCP(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	conn, err := Dialer{*dialer}.DialContext(ctx, "tcp", address)
	if err != nil || config == nil {
		return conn, err
	}
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			_ = conn.Close() // nothing was said on it
			return nil, err
		}
		config = config.Clone()
		config.ServerName = host
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error says why
		return nil, err
	}
	return secured, nil
}
