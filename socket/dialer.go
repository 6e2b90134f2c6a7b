package socket

import (
	"context"
	"crypto/tls"
	"net"
)

// Dialer dials as net.Dialer does and returns the connection that Of makes. A connection ends when one of its reads or writes
// times out (see kept).
type Dialer struct {
	net.Dialer
	// Until bounds the life of the connections: when it ends, they end, with every call that waits on them, and later attempts
	// to connect fail at once. nil: no bound.
	Until context.Context
}

// Dial has the form that sarama needs.
func (d Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext returns a connection, or the error of net.Dialer.
func (d Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.Until != nil {
		within, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(d.Until, cancel)()
		if d.Until.Err() != nil {
			cancel() // AfterFunc does so in a goroutine of its own, which an attempt to connect may overtake
		}
		ctx = within
	}
	conn, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return keep(d.Until, Of(conn)), nil
}

// DialTCP has the form that rueidis needs. With a TLS configuration it is DialTLS.
func DialTCP(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if config != nil {
		return DialTLS(ctx, address, dialer, config)
	}
	return Dialer{Dialer: *dialer}.DialContext(ctx, "tcp", address)
}
