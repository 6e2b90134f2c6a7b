package socket

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// DialTLS dials and shakes hands, both within the dialer's timeout. In TLS 1.3 a client has shaken hands before the server
// looks at its certificate, so a server refuses a certificate by an alert that meets the client's first bytes. The connection
// returns that alert from the Write that fails, instead of an error that says only that the connection was reset.
func DialTLS(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	conn, err := (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return alerted{conn}, nil
}

// alerted returns the alert of the other side in place of the error of a Write.
type alerted struct{ net.Conn }

// alertWithin bounds the wait for an alert behind a Write that failed: it was sent before the connection was reset.
const alertWithin = 200 * time.Millisecond

// Write implements net.Conn.
func (a alerted) Write(p []byte) (int, error) {
	n, err := a.Conn.Write(p)
	if err == nil {
		return n, nil
	}
	if a.Conn.SetReadDeadline(time.Now().Add(alertWithin)) != nil {
		return n, err
	}
	var alert *net.OpError
	_, told := a.Conn.Read(make([]byte, 1)) // nothing that follows is of use: no request can be written any more
	if errors.As(told, &alert) && alert.Op == "remote error" {
		return n, told
	}
	return n, err
}
