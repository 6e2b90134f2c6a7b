// Package client is a keep-alive HTTP/1.1 connection that sends requests built in advance.
//
// A load generator on the same machine as the engine must be cheap, or it measures itself: it uses no goroutine besides
// the caller's, no map of headers, one write and usually one read per request. It accepts exactly the answers of a
// gateway or a proxy (Content-Length, chunked, until close).
package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"flashsale/socket"
)

// Bounds of one answer; an answer that exceeds them ends the connection with an error.
const (
	maxHeaderBytes = 16 << 10
	maxBodyBytes   = 1 << 20
	readBuffer     = 4 << 10
)

// Server is the destination of requests.
type Server struct {
	Base   string // as given, without a trailing slash
	Host   string // value of the Host header
	Prefix string // path in front of every request's path
	addr   string
	tls    *tls.Config // nil for http
}

// ParseServer reads a base URL such as http://127.0.0.1:8080.
func ParseServer(base string) (Server, error) {
	u, err := url.Parse(base)
	if err != nil {
		return Server{}, fmt.Errorf("server URL: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.RawQuery != "" || u.User != nil {
		return Server{}, fmt.Errorf("server URL %q is not http://HOST or https://HOST", base)
	}
	port := u.Port()
	s := Server{Host: u.Host, Prefix: trimSlash(u.EscapedPath())}
	s.Base = u.Scheme + "://" + u.Host + s.Prefix
	if u.Scheme == "https" {
		s.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	}
	switch {
	case port != "":
	case s.tls != nil:
		port = "443"
	default:
		port = "80"
	}
	s.addr = net.JoinHostPort(u.Hostname(), port)
	return s, nil
}

func trimSlash(path string) string {
	for len(path) > 0 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	return path
}

// Conn is one connection, used by one goroutine at a time. A Conn dials at its first request.
type Conn struct {
	server   Server
	conn     net.Conn
	in       *bufio.Reader
	deadline time.Time // the deadline set on conn
}

// NewConn returns a connection that dials at its first request.
func NewConn(server Server) *Conn { return &Conn{server: server} }

// ErrNotSent is wrapped by errors before the first byte of the request was sent: the server cannot have received it.
// After every other error of Do the outcome is unknown.
var ErrNotSent = errors.New("the request was not sent")

// Dial connects when there is no connection.
func (c *Conn) Dial(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	conn, err := c.server.dial(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	c.conn, c.deadline = conn, time.Time{}
	if c.in == nil {
		c.in = bufio.NewReaderSize(conn, readBuffer)
	} else {
		c.in.Reset(conn)
	}
	return nil
}

// dial connects. It does not use package socket's dialer, whose connections report a timeout as the end of the stream:
// a load test distinguishes a slow server from one that closes the connection.
func (s *Server) dial(ctx context.Context) (net.Conn, error) {
	if s.tls != nil {
		return (&tls.Dialer{Config: s.tls}).DialContext(ctx, "tcp", s.addr)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	return socket.Of(conn), nil
}

// Do sends a complete request and reads its answer into res, before the deadline. After an error the connection is
// closed and the next Do dials again. Do checks ctx only while it dials. A deadline equal to the previous one costs
// nothing, so callers that need no exact deadline round it up.
func (c *Conn) Do(ctx context.Context, request []byte, deadline time.Time, res *Response) error {
	if c.conn == nil {
		dialCtx, cancel := context.WithDeadline(ctx, deadline)
		err := c.Dial(dialCtx)
		cancel()
		if err != nil {
			return err
		}
	}
	if err := c.exchange(request, deadline, res); err != nil {
		c.Close()
		return err
	}
	if res.Close {
		c.Close()
	}
	return nil
}

func (c *Conn) exchange(request []byte, deadline time.Time, res *Response) error {
	if !deadline.Equal(c.deadline) {
		if err := c.conn.SetDeadline(deadline); err != nil {
			return fmt.Errorf("%w: %w", ErrNotSent, err)
		}
		c.deadline = deadline
	}
	if n, err := c.conn.Write(request); err != nil {
		if n == 0 {
			return fmt.Errorf("%w: %w", ErrNotSent, err)
		}
		return fmt.Errorf("send request: %w", err)
	}
	if err := res.read(c.in); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// Close closes the connection; the next Do dials again.
func (c *Conn) Close() {
	if c.conn != nil {
		_ = c.conn.Close() // the connection is not used any more
		c.conn = nil
	}
}
