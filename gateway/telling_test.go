package gateway

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/locked"
)

// TestTheAccessLogHasNoMethodOfTheClients: a method may be as long as a request's headers.
func TestTheAccessLogHasNoMethodOfTheClients(t *testing.T) {
	said := &strings.Builder{}
	s := newScene(t, func(o *Options, _ *Deps) { o.AccessLogEvery, o.Log = 1, slog.New(slog.NewJSONHandler(said, nil)) })
	ctx := requestOf(t, s, "/nowhere", "", "")
	for method, says := range map[string]string{
		"DELETE": `"method":"DELETE"`, strings.Repeat("SHOUT", 1000): `"method":"_OTHER"`,
	} {
		said.Reset()
		ctx.Response.Reset()
		ctx.Request.Header.SetMethod(method)
		s.gateway.handle(ctx)
		require.Contains(t, said.String(), says)
		require.Less(t, said.Len(), 500)
	}
}

// TestEveryRequestIsInTheAccessLog: one that cannot be read, and one whose handler panics, too.
func TestEveryRequestIsInTheAccessLog(t *testing.T) {
	said := &locked.Buffer{}
	s := newScene(t, func(o *Options, _ *Deps) { o.AccessLogEvery, o.Log = 1, slog.New(slog.NewJSONHandler(said, nil)) })
	s.open(autumn())
	s.stock.set(func(f *fakeStock) { f.decide = func(sale.Purchase) sale.Answer { panic("a fault of the program") } })
	require.Equal(t, 500, s.press("ann", "").status)
	require.Contains(t, said.String(), `"route":"purchase","path":"/v1/sales/{sale}/items/{sku}/orders","status":500`)
	require.Equal(t, 400, s.raw("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n").status)
	require.Contains(t, said.String(), `"status":400`)
}

// TestABrokenConnectionIsToldWithoutItsBuyer: fasthttp's messages about a connection have the address, and quote a request that
// it cannot read.
func TestABrokenConnectionIsToldWithoutItsBuyer(t *testing.T) {
	said := &locked.Buffer{}
	s := newScene(t, func(o *Options, _ *Deps) {
		o.Log = slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	conn, err := dialer.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /v1/sales/autumn HTTP/1.1\r\nHost: x\r\nsecret\r\n\r\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(said.String(), "a connection ended") }, 10*time.Second,
		5*time.Millisecond)
	require.NotContains(t, said.String(), "127.0.0.9")
	require.NotContains(t, said.String(), "secret")
}
