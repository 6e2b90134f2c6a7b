package gateway

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

func TestRequestIDs(t *testing.T) {
	for id, valid := range map[string]bool{
		"a": true, "A-Z.a_z-09": true, strings.Repeat("x", 64): true, "": false, strings.Repeat("x", 65): false,
		"a b": false, "a,b": false, "ä": false, "a/b": false, "{a}": false, "a\x00": false, "`": false, "@": false, "[": false,
	} {
		require.Equal(t, valid, sale.ValidRequestID([]byte(id)), id)
	}
	for header, own := range map[string]string{
		"X-Request-Id: night-1\r\n": "night-1", "x-request-ID:\t a.b \r\n": "a.b", "X-Request-Id: a b\r\n": "",
		"X-Request-Id: a\r\nX-Request-Id: a\r\n": "", "X-Request-Id:\r\n": "", "": "",
		"X-Request-Id: " + strings.Repeat("x", 65) + "\r\n": "",
	} {
		s := newScene(t).open(autumn())
		ctx := requestOf(t, s, phoneOrders, header, `{"quantity":1}`)
		s.gateway.handle(ctx)
		id := string(ctx.Response.Header.PeekBytes(headerRequestID))
		if own != "" {
			require.Equal(t, own, id, header)
			continue
		}
		require.True(t, strings.HasPrefix(id, string(s.gateway.requests)), "%q: %q", header, id)
		require.True(t, sale.ValidRequestID([]byte(id)), id)
		harness.NoAllocations(t, 200, func() {
			ctx.Response.Reset()
			s.gateway.identify(ctx, nil)
		})
	}
}

// No two requests have the same id, whether they share a connection or not; a request that cannot be read has one too.
func TestRequestIDsAreUnique(t *testing.T) {
	s := newScene(t).open(autumn())
	seen := map[string]bool{}
	note := func(r response) {
		t.Helper()
		id := r.header.Get("X-Request-Id")
		require.False(t, seen[id], id)
		seen[id] = true
	}
	for _, path := range []string{"/v1/time", "/livez", "/readyz", "/openapi.json", "/nowhere", "/v1/sales/none", phoneOrders} {
		note(s.send("GET", path, ""))
		note(s.send("GET", path, ""))
	}
	note(s.raw("GARBAGE\r\n\r\n"))
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for range 3 {
		_, err := conn.Write([]byte("GET /v1/time HTTP/1.1\r\nHost: shop\r\n\r\n"))
		require.NoError(t, err)
		note(s.read(reader, "GET"))
	}
	require.Equal(t, "night-1", s.send("GET", "/nowhere", "", "X-Request-Id: night-1").header.Get("X-Request-Id"))
}
