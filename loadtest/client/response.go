package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
)

// Response is one answer. A Response may be reused for the next request: the memory of its body is reused.
type Response struct {
	Status     int
	Body       []byte
	RetryAfter int  // whole seconds, 0 when absent
	Close      bool // the server accepts no further request on this connection

	length  int64 // Content-Length, -1 when absent
	chunked bool
	old     bool // HTTP/1.0, which has no chunks
}

var errResponse = errors.New("not an HTTP/1.1 answer")

// read reads one answer and skips interim ones (1xx).
func (r *Response) read(in *bufio.Reader) error {
	for {
		if err := r.readHead(in); err != nil {
			return err
		}
		if r.Status >= 200 {
			return r.readBody(in)
		}
	}
}

func (r *Response) readHead(in *bufio.Reader) error {
	r.RetryAfter, r.length, r.chunked, r.Body = 0, -1, false, r.Body[:0]
	line, err := readLine(in)
	if err != nil {
		return err
	}
	if err := r.statusLine(line); err != nil {
		return err
	}
	for size := len(line); ; {
		line, err := readLine(in)
		if err != nil {
			return noEOF(err)
		}
		if len(line) == 0 {
			return nil
		}
		if size += len(line); size > maxHeaderBytes {
			return fmt.Errorf("%w: headers of more than %d bytes", errResponse, maxHeaderBytes)
		}
		if err := r.header(line); err != nil {
			return err
		}
	}
}

func (r *Response) statusLine(line []byte) error {
	// HTTP/1.1 202 Accepted
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[8] != ' ' {
		return fmt.Errorf("%w: status line %.40q", errResponse, line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 100 || status > 999 {
		return fmt.Errorf("%w: status line %.40q", errResponse, line)
	}
	r.Status = status
	r.old = line[7] == '0'
	r.Close = r.old
	return nil
}

func (r *Response) header(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok {
		return fmt.Errorf("%w: header line %.40q", errResponse, line)
	}
	value = bytes.TrimSpace(value)
	switch {
	case is(name, "Content-Length"):
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || n < 0 || n > maxBodyBytes {
			return fmt.Errorf("%w: Content-Length %.24q", errResponse, value)
		}
		r.length = n
	case is(name, "Transfer-Encoding"):
		if r.old || !is(value, "chunked") {
			return fmt.Errorf("%w: Transfer-Encoding %.24q", errResponse, value)
		}
		r.chunked = true
	case is(name, "Connection"):
		r.Close = r.Close || is(value, "close")
	case is(name, "Retry-After"):
		if n, err := strconv.Atoi(string(value)); err == nil && n > 0 {
			r.RetryAfter = n
		}
	}
	return nil
}

func (r *Response) readBody(in *bufio.Reader) error {
	switch {
	case r.Status == 204 || r.Status == 304:
		return nil
	case r.chunked:
		return r.readAll(httputil.NewChunkedReader(in), in)
	case r.length >= 0:
		if int64(cap(r.Body)) < r.length {
			r.Body = make([]byte, r.length)
		}
		r.Body = r.Body[:r.length]
		_, err := io.ReadFull(in, r.Body)
		return noEOF(err)
	}
	r.Close = true
	return r.readAll(in, nil)
}

// readAll reads to the end of body; after a chunked one it takes the trailer's empty line from in.
func (r *Response) readAll(body io.Reader, in *bufio.Reader) error {
	buffer := bytes.NewBuffer(r.Body)
	n, err := buffer.ReadFrom(io.LimitReader(body, maxBodyBytes+1))
	r.Body = buffer.Bytes()
	switch {
	case err != nil:
		return noEOF(err)
	case n > maxBodyBytes:
		return fmt.Errorf("%w: a body of more than %d bytes", errResponse, maxBodyBytes)
	case in == nil:
		return nil
	}
	for {
		line, err := readLine(in)
		if err != nil || len(line) == 0 {
			return noEOF(err)
		}
	}
}

// readLine returns the next line without its end; it is valid until the next read.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, io.EOF) && len(line) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, nil
}

// is compares a header's name or a token without regard to ASCII case and without allocating.
func is(text []byte, want string) bool {
	return len(text) == len(want) && bytes.EqualFold(text, []byte(want))
}

// noEOF turns an end of the stream inside an answer into io.ErrUnexpectedEOF.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
