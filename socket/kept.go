package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// kept is a connection of a client that keeps it from call to call. After a read or a write that timed out it is of no use any
// more, because the late answer would be taken for that of the next call. A client may go on with it all the same: sarama
// answers every later call with the first timeout. So the connection ends there, and the error says what every client
// understands: the other side is gone, connect again.
type kept struct {
	net.Conn
	forget func() bool // that it ends with somebody else's context; nil: it does not
}

func keep(until context.Context, conn net.Conn) net.Conn {
	c := &kept{Conn: conn}
	if until != nil {
		c.forget = context.AfterFunc(until, func() { _ = conn.Close() }) // whoever uses it hears of it
	}
	return c
}

// Read implements net.Conn.
func (c *kept) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		err = c.judge(err)
	}
	return n, err
}

// Write implements net.Conn.
func (c *kept) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		err = c.judge(err)
	}
	return n, err
}

// Close implements net.Conn.
func (c *kept) Close() error {
	if c.forget != nil {
		c.forget()
	}
	return c.Conn.Close()
}

func (c *kept) judge(err error) error {
	var failed net.Error // also the kernel's own, of a peer that acknowledges nothing
	if !errors.As(err, &failed) || !failed.Timeout() {
		return err
	}
	_ = c.Close() // the timeout is what went wrong
	return fmt.Errorf("no answer in time, so that the connection was given up: %w (%w)", io.EOF, err)
}
