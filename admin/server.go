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
	// maxHeaderBytes keeps headers at 8 KiB: net/http reads 4 KiB beyond what it is told.
	maxHeaderBytes = 4 << 10
)

// NewServer returns a server for the operators' API or the probes. Headers have 10 s. Bodies and answers have no bound
// of time here, because a list of buyers and an event stream may take long: the handlers bound each read and write.
// Serve it on a ProblemListener. Shutdown ends open event streams.
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

// ProblemListener makes problems of the few errors that net/http answers by itself, in plain text and before any handler
// runs: broken framing, headers that are too large.
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

// serverError is how net/http begins the header of its own errors. A handler's answer never looks like this: the server
// puts Date into it.
var serverError = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// maxStatusLine bounds the search for the end of a status line in what may be a large body.
const maxStatusLine = 256

// Write passes everything on but the server's own errors, which are written in one piece.
func (c problemConn) Write(p []byte) (int, error) {
	status, own := serverErrorStatus(p)
	if !own {
		return c.Conn.Write(p)
	}
	problem := sale.ProblemOf(sale.OutcomeMalformed, "the request is no HTTP request that can be answered")
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

// CloseWrite lets the server half-close, so that a client reads the answer before the connection is gone.
func (c problemConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// serverErrorStatus recognizes "HTTP/1.1 4xx …" or 5xx followed at once by serverError.
func serverErrorStatus(p []byte) (status int, own bool) {
	const prefix = "HTTP/1.1 "
	end := bytes.IndexByte(p[:min(len(p), maxStatusLine)], '\r')
	if end < len(prefix)+3 || string(p[:len(prefix)]) != prefix || !bytes.HasPrefix(p[end:], serverError) {
		return 0, false
	}
	status, err := strconv.Atoi(string(p[len(prefix) : len(prefix)+3]))
	return status, err == nil && status >= 400
}
