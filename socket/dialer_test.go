package socket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDialerReachesWhoListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_, _ = io.WriteString(conn, "hello") // what is missing fails the test below
			_ = conn.Close()
		}
	}()
	conn, err := Dialer{Dialer: net.Dialer{Timeout: time.Second}}.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
}

func TestDialerTellsWhyNot(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	_, err = Dialer{}.Dial("tcp", listener.Addr().String())
	var failed *net.OpError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "dial", failed.Op)
	_, err = DialTCP(context.Background(), listener.Addr().String(), &net.Dialer{}, &tls.Config{})
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "dial", failed.Op)
}

// TestDialTCPSpeaksTLS: the server's certificate is verified for the host in the address.
func TestDialTCPSpeaksTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	known := x509.NewCertPool()
	known.AddCert(server.Certificate())
	address := server.Listener.Addr().String()
	ctx := context.Background()

	conn, err := DialTCP(ctx, address, &net.Dialer{}, &tls.Config{RootCAs: known})
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "404 Not Found")

	_, err = DialTCP(ctx, address, &net.Dialer{}, &tls.Config{})
	var untrusted *tls.CertificateVerificationError
	require.ErrorAs(t, err, &untrusted)
	_, err = DialTCP(ctx, address, &net.Dialer{}, &tls.Config{RootCAs: known, ServerName: "elsewhere.test"})
	var other x509.HostnameError
	require.ErrorAs(t, err, &other)
}

// TestDialTCPWaitsForNoHandshake: a server that accepts and does not answer costs the dialer's timeout, not more.
func TestDialTCPWaitsForNoHandshake(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	dialer := &net.Dialer{Timeout: 50 * time.Millisecond}
	_, err = DialTCP(t.Context(), listener.Addr().String(), dialer, &tls.Config{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestDialTCPWithoutTLS(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := DialTCP(context.Background(), listener.Addr().String(), &net.Dialer{}, nil)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}
