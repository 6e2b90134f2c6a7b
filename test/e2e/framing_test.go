package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"flashsale/test/buyers"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// raw sends bytes over a connection of their own and returns the answer, nil when the connection was closed without one.
func (s *stack) raw(request string) *reply {
	s.t.Helper()
	c, err := buyers.Dial(s.Gateways[0].Buyers)
	require.NoError(s.t, err)
	defer func() { _ = c.Close() }()
	status, header, body, err := c.Exchange([]byte(request))
	if errors.Is(err, io.EOF) || isReset(err) {
		return nil
	}
	require.NoError(s.t, err)
	r := &reply{status: status, header: map[string][]string{}, body: body}
	for name, value := range header {
		r.header.Set(name, value)
	}
	return r
}

func isReset(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) && !network.Timeout()
}

// TestFraming sends what no HTTP library would: each gets the contract's answer, none is taken, none ends the process.
func TestFraming(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(100)))
	bearer := "Authorization: Bearer " + token("b") + "\r\n"
	post := "POST /v1/sales/rush/items/phone/orders HTTP/1.1\r\nHost: a\r\n" + bearer
	for name, request := range map[string]string{
		"two lengths":            post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
		"length and chunks":      post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"negative length":        post + "Content-Length: -1\r\n\r\n",
		"length not a number":    post + "Content-Length: two\r\n\r\n{}",
		"unknown transfer":       post + "Transfer-Encoding: gzip\r\n\r\n{}",
		"broken chunk":           post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"header without a colon": post + "Nonsense\r\n\r\n",
		"space before colon":     post + "Content-Length : 2\r\n\r\n{}",
		"not HTTP":               "hello\r\n\r\n",
		"NUL in a header":        post + "X: a\x00b\r\n\r\n",
		"two keys":               post + "Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 0\r\n\r\n",
		"unknown path, broken":   "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
	} {
		answer := s.raw(request)
		if assert.NotNil(t, answer, "%s: closed without an answer", name) {
			t.Log(name)
			s.refused(*answer, 400, "malformed", s.optional(*answer, "field")...)
		}
	}
	limits(s, post)
	// A chunked body is as good as any other.
	chunked := s.raw(post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
	require.NotNil(t, chunked)
	s.ordered(*chunked, 202)
	assert.Len(t, s.booksAtRest("rush").rows, 1, "nothing of what was refused was taken")
	assert.True(t, s.Gateways[0].Running())
}

// limits goes beyond the bounds of bodies and headers.
func limits(s *stack, post string) {
	s.t.Helper()
	large := s.raw(post + fmt.Sprintf("Content-Length: %d\r\n\r\n", 5000) + strings.Repeat(" ", 5000))
	require.NotNil(s.t, large)
	s.refused(*large, 413, "body_too_large")
	chunked := s.raw(post + "Transfer-Encoding: chunked\r\n\r\n1388\r\n" + strings.Repeat(" ", 5000) + "\r\n0\r\n\r\n")
	require.NotNil(s.t, chunked)
	s.refused(*chunked, 413, "body_too_large")
	headers := s.raw(post + "X-Long: " + strings.Repeat("x", 9000) + "\r\nContent-Length: 0\r\n\r\n")
	require.NotNil(s.t, headers)
	s.refused(*headers, 431, "headers_too_large")
	many := s.raw(post + strings.Repeat("X-Many: x\r\n", 1000) + "Content-Length: 0\r\n\r\n")
	require.NotNil(s.t, many)
	s.refused(*many, 431, "headers_too_large")
}

// optional returns the member when the answer has it.
func (s *stack) optional(r reply, member string) []string {
	s.t.Helper()
	if _, there := r.json(s)[member]; there {
		return []string{member}
	}
	return nil
}

// TestSlowHeaders: a connection that never finishes its headers is answered 408 or closed a little after ten seconds,
// and others are served meanwhile.
func TestSlowHeaders(t *testing.T) {
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	slow, err := buyers.Dial(s.Gateways[0].Buyers)
	require.NoError(t, err)
	defer func() { _ = slow.Close() }()
	begun := time.Now()
	ended := make(chan time.Duration, 1)
	go func() {
		_, _, _, _ = slow.ExchangeFor([]byte("POST /v1/sales/rush/items/phone/orders HTTP/1.1\r\nHost: a\r\nX: "), 30*time.Second)
		ended <- time.Since(begun)
	}()
	s.taken(ask{buyer: "quick"})
	lasted := <-ended
	assert.Greater(t, lasted, 5*time.Second)
	assert.Less(t, lasted, 15*time.Second)
}
