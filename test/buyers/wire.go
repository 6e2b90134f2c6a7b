package buyers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Conn is one keep-alive HTTP/1.1 connection that costs a few microseconds a request, so that the crowd does not take
// the processor away from what it presses. It also says exactly what was on the wire, which http.Client does not.
type Conn struct {
	net.Conn
	reader *bufio.Reader
}

// Dial opens a connection to host:port within dialWithin.
func Dial(address string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", address, dialWithin)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c, reader: bufio.NewReaderSize(c, 8<<10)}, nil
}

// Bounds of a connection.
const (
	Patience   = 10 * time.Second // of an exchange, twice what the contract allows a purchase
	dialWithin = 2 * time.Second
)

// Exchange sends the bytes and reads one answer. header has canonical lower-case names.
func (c *Conn) Exchange(request []byte) (status int, header map[string]string, body []byte, err error) {
	return c.ExchangeFor(request, Patience)
}

// ExchangeFor is Exchange with another bound on the whole exchange.
func (c *Conn) ExchangeFor(request []byte, within time.Duration) (status int, header map[string]string, body []byte, err error) {
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return 0, nil, nil, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, nil, nil, err
	}
	return c.read()
}

func (c *Conn) read() (status int, header map[string]string, body []byte, err error) {
	line, err := c.reader.ReadString('\n')
	if err != nil {
		return 0, nil, nil, err
	}
	if len(line) < 12 || !strings.HasPrefix(line, "HTTP/1.1 ") {
		return 0, nil, nil, fmt.Errorf("status line %q", line)
	}
	if status, err = strconv.Atoi(line[9:12]); err != nil {
		return 0, nil, nil, err
	}
	header = make(map[string]string, 8)
	for {
		line, err := c.reader.ReadString('\n')
		if err != nil {
			return 0, nil, nil, err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		header[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	length, err := strconv.Atoi(header["content-length"])
	if err != nil {
		return 0, nil, nil, errors.New("an answer without Content-Length")
	}
	body = make([]byte, length)
	_, err = io.ReadFull(c.reader, body)
	return status, header, body, err
}

// stale reports whether the gateway has closed the connection since the last answer. Whatever is sent on such a connection
// gets no answer, so a client that asks first opens a new one and keeps "no answer" for purchases that may have happened.
func (c *Conn) stale() bool {
	plain, is := c.Conn.(syscall.Conn)
	if !is {
		return false
	}
	raw, err := plain.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	err = raw.Read(func(fd uintptr) bool {
		var next [1]byte
		n, _, err := syscall.Recvfrom(int(fd), next[:], syscall.MSG_PEEK) // never waits: sockets of Go are non-blocking
		closed = err == nil && n == 0 || err != nil && !errors.Is(err, syscall.EAGAIN)
		return true
	})
	return closed || err != nil
}
