package socket

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// A server that refuses a client's certificate after the handshake is quoted, also by a write that finds the connection reset.
func TestARefusedCertificateIsNamed(t *testing.T) {
	ca := harness.NewAuthority(t, "ca")
	config := ca.Trusting(ca.Server("server", "127.0.0.1"))
	config.ClientAuth = tls.RequireAnyClientCert
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	defer listener.Close()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		conn, err := listener.Accept()
		if err != nil {
			return // the test has ended
		}
		_, _ = conn.Read(make([]byte, 1)) // shakes hands, and refuses
		_ = conn.Close()
	}()
	trusting := ca.Trusting(ca.Client("client", time.Now().Add(time.Hour)))
	trusting.Certificates = nil
	conn, err := DialTLS(t.Context(), listener.Addr().String(), &net.Dialer{Timeout: time.Second}, trusting)
	require.NoError(t, err, "the client has shaken hands")
	defer conn.Close()
	<-closed
	require.Eventually(t, func() bool {
		_, err = conn.Write([]byte("PING\r\n"))
		return err != nil
	}, 5*time.Second, time.Millisecond, "a closed connection is reset at a write")
	require.ErrorContains(t, err, "remote error: tls: certificate required")
}
