// Package client is a keep-alive HTTP/1.1 connection that sends requests built in advance.
//
// A load generator on the same machine as the engine must be cheap, or it measures itself: no goroutine beside the
// caller's, no map of headers, one write and usually one read a request. It understands what a gateway or the proxy in
// front of it can answer (Content-Length, chunked, until close) and nothing else.
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

// Bounds of one answer: what exceeds them ends the connection with an error.
const (
	maxHeaderBytes = 16 << 10
	maxBodyBytes   = 1 << 20
	readBuffer     = 4 << 10
)

// Server is where requests go.
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

// Conn is one connection, used by one goroutine at a time. The zero Conn of a Server dials at the first request.
type Conn struct {
	server   Server
	conn     net.Conn
	in       *bufio.Reader
	deadline time.Time // set on conn
}

// NewConn returns a connection that is not dialed yet.
func NewConn(server Server) *Conn { return &Conn{server: server} }

// ErrNotSent is wrapped by errors before the first byte of the request left: the server cannot have seen it. Every other
// error of Do leaves the outcome unknown.
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

// dial connects. It is not socket's own dialer, whose connections end at a timeout and then say so as an end of the stream: a
// load test tells a server that is slow from one that hangs up.
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

// Do sends a complete request and reads its answer into res, all before the deadline. After an error the connection is
// closed and the next Do dials again. It looks at ctx only while it dials. A deadline that is the same as last time costs
// nothing, so callers who need no exact one round it up.
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

// Close ends the connection; Do may be called again and dials anew.
func (c *Conn) Close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing more can be done about a connection that is being given up
		c.conn = nil
	}
}
