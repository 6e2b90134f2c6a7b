package admin

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"flashsale/sale"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// maxHeaderBytes keeps headers at 8 KiB: net/http reads 4 KiB more than its limit.
	maxHeaderBytes = 4 << 10
)

// NewServer returns a server for the operators' API or the probes. A client has 10 s to send its headers. The server
// sets no time limit for bodies and answers, because a list of buyers and an event stream may take long: the handlers
// bound each read and write. Serve it on a ProblemListener. Shutdown ends open event streams.
func NewServer(handler http.Handler) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	if api, ok := handler.(interface{ StopStreams() }); ok {
		server.RegisterOnShutdown(api.StopStreams)
	}
	return server
}

// ProblemListener replaces the few errors that net/http writes by itself, in plain text and before any handler runs
// (broken framing, headers that are too large), by problems.
func ProblemListener(inner net.Listener) net.Listener { return problemListener{inner} }

type problemListener struct{ net.Listener }

func (l problemListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return problemConn{conn}, nil
}

type problemConn struct{ net.Conn }

// serverError begins the header of net/http's own errors. A handler's answer never has this header, because the server
// adds Date to it.
var serverError = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// maxStatusLine bounds the search for the end of a status line in a possibly large body.
const maxStatusLine = 256

// Write replaces the server's own errors, which the server writes in one piece, and passes everything else through.
func (c problemConn) Write(p []byte) (int, error) {
	status, own := serverErrorStatus(p)
	if !own {
		return c.Conn.Write(p)
	}
	problem := sale.ProblemOf(sale.OutcomeMalformed, "the request is not a valid HTTP request")
	if status == http.StatusRequestHeaderFieldsTooLarge {
		problem = sale.ProblemOf(sale.OutcomeHeadersTooLarge, "")
	}
	body := problem.Append(nil)
	answer := []byte("HTTP/1.1 " + strconv.Itoa(problem.Status) + " " + http.StatusText(problem.Status) +
		"\r\nContent-Type: " + sale.ProblemType + "\r\nCache-Control: no-store\r\nContent-Length: " + strconv.Itoa(len(body)) +
		"\r\nConnection: close\r\n\r\n")
	if _, err := c.Conn.Write(append(answer, body...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite lets the server half-close the connection, so that a client reads the answer before the connection is
// closed.
func (c problemConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// serverErrorStatus recognizes "HTTP/1.1 4xx …" or 5xx directly followed by serverError.
func serverErrorStatus(p []byte) (status int, own bool) {
	const prefix = "HTTP/1.1 "
	end := bytes.IndexByte(p[:min(len(p), maxStatusLine)], '\r')
	if end < len(prefix)+3 || string(p[:len(prefix)]) != prefix || !bytes.HasPrefix(p[end:], serverError) {
		return 0, false
	}
	status, err := strconv.Atoi(string(p[len(prefix) : len(prefix)+3]))
	return status, err == nil && status >= 400
}
