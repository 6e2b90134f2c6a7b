package client

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// canned is a server that sends each connection its scripted bytes, one piece per request, and closes it.
func canned(t *testing.T, connections ...[]string) Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for _, answers := range connections {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serveCanned(conn, answers)
		}
	}()
	server, err := ParseServer("http://" + listener.Addr().String())
	require.NoError(t, err)
	return server
}

func serveCanned(conn net.Conn, answers []string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, answer := range answers {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

var request = []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")

func do(t *testing.T, c *Conn, res *Response) error {
	t.Helper()
	return c.Do(t.Context(), request, time.Now().Add(5*time.Second), res)
}

func TestAnswersOfEveryFraming(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		status int
		body   string
		closes bool
		retry  int
	}{
		"length":      {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, "hello", false, 0},
		"empty":       {"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 202, "", false, 0},
		"no reason":   {"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, "x", false, 0},
		"retry after": {"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\n{}", 503, "{}", false, 3},
		"date instead of seconds": {
			"HTTP/1.1 429 x\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n", 429, "", false, 0},
		"chunked": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n", 200,
			"abcde", false, 0},
		"until close":   {"HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it", true, 0},
		"says close":    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x", true, 0},
		"HTTP/1.0":      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", true, 0},
		"interim first": {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", false, 0},
		"no content":    {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewConn(canned(t, []string{tc.answer}))
			defer c.Close()
			res := Response{Body: []byte("left from before")}
			require.NoError(t, do(t, c, &res))
			require.Equal(t, tc.status, res.Status)
			require.Equal(t, tc.body, string(res.Body))
			require.Equal(t, tc.closes, res.Close)
			require.Equal(t, tc.retry, res.RetryAfter)
			require.Equal(t, tc.closes, c.conn == nil, "a connection that the server gives up is given up here too")
		})
	}
}

func TestBrokenAnswersAreUnknownNotUnsent(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":             "",
		"garbage":             "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"bad status":          "HTTP/1.1 2x0 OK\r\n\r\n",
		"header without end":  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
		"header without name": "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
		"bad length":          "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
		"huge length":         "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
		"chunks in HTTP/1.0":  "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"unknown coding":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"cut in the body":     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		"cut in a chunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"cut in the trailer":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n",
		"many headers":        "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 20) + "\r\n",
		"endless header":      "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 3*readBuffer) + "\r\n\r\n",
		"endless body":        "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", maxBodyBytes+1),
	} {
		t.Run(name, func(t *testing.T) {
			c := NewConn(canned(t, []string{answer}))
			var res Response
			err := do(t, c, &res)
			require.Error(t, err)
			require.NotErrorIs(t, err, ErrNotSent)
			require.Nil(t, c.conn)
		})
	}
}

func TestNoConnectionMeansNotSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server, err := ParseServer("http://" + listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	var res Response
	require.ErrorIs(t, do(t, NewConn(server), &res), ErrNotSent)
}

func TestConnectionIsKeptAndDialedAnew(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	c := NewConn(canned(t, []string{answer, answer, ""}, []string{answer}))
	defer c.Close()
	var res Response
	require.NoError(t, do(t, c, &res))
	first := c.conn
	require.NoError(t, do(t, c, &res))
	require.Same(t, first, c.conn)
	require.Error(t, do(t, c, &res), "the server closes without an answer")
	require.NoError(t, do(t, c, &res), "the next request dials anew")
	require.NotSame(t, first, c.conn)
}

func TestDeadlineEndsAStalledAnswer(t *testing.T) {
	server := canned(t, []string{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "never asked for"})
	c := NewConn(server)
	var res Response
	err := c.Do(t.Context(), request, time.Now().Add(50*time.Millisecond), &res)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.NotErrorIs(t, err, ErrNotSent)
}

func TestCancelledContextEndsADial(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server, err := ParseServer("http://127.0.0.1:9")
	require.NoError(t, err)
	var res Response
	err = NewConn(server).Do(ctx, request, time.Now().Add(time.Second), &res)
	require.ErrorIs(t, err, ErrNotSent)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTLSIsVerified(t *testing.T) {
	backend := httptest.NewTLSServer(http.NotFoundHandler())
	defer backend.Close()
	server, err := ParseServer(backend.URL)
	require.NoError(t, err)
	var res Response
	require.ErrorIs(t, do(t, NewConn(server), &res), ErrNotSent, "an unknown authority is refused")
	server.tls.RootCAs = backend.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	server.tls.ServerName = "example.com" // the name in httptest's certificate
	require.NoError(t, do(t, NewConn(server), &res))
	require.Equal(t, 404, res.Status)
}

func TestParseServer(t *testing.T) {
	for base, want := range map[string]struct{ base, host, prefix, addr string }{
		"http://127.0.0.1:8080":      {"http://127.0.0.1:8080", "127.0.0.1:8080", "", "127.0.0.1:8080"},
		"http://shop.example/":       {"http://shop.example", "shop.example", "", "shop.example:80"},
		"https://shop.example/flash": {"https://shop.example/flash", "shop.example", "/flash", "shop.example:443"},
		"http://[::1]:8080":          {"http://[::1]:8080", "[::1]:8080", "", "[::1]:8080"},
	} {
		s, err := ParseServer(base)
		require.NoError(t, err, base)
		require.Equal(t, want.base, s.Base)
		require.Equal(t, want.host, s.Host)
		require.Equal(t, want.prefix, s.Prefix)
		require.Equal(t, want.addr, s.addr)
	}
	for _, bad := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://x?y=z", "http://me:secret@x", "http://x:y"} {
		_, err := ParseServer(bad)
		require.Error(t, err, bad)
	}
}

func TestAnswerCostsNoMemory(t *testing.T) {
	answer := []byte("HTTP/1.1 409 Conflict\r\nServer: x\r\nContent-Type: application/problem+json\r\n" +
		"Cache-Control: no-store\r\nContent-Length: 20\r\n\r\n{\"code\":\"sold_out\"}\n")
	source := bytes.NewReader(answer)
	in := bufio.NewReader(source)
	var res Response
	require.NoError(t, res.read(in))
	allocations := testing.AllocsPerRun(100, func() {
		source.Reset(answer)
		in.Reset(source)
		if err := res.read(in); err != nil {
			panic(err)
		}
	})
	require.Zero(t, allocations)
	require.Equal(t, 409, res.Status)
}
