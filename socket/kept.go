package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// kept is a connection that its client keeps from call to call. After a read or a write that timed out it must not be used any
// more, because the late answer would be taken for that of the next call. A client may use it all the same: sarama answers
// every later call with the first timeout. So the connection ends then, with an error that makes every client connect again:
// the other side has closed.
type kept struct {
	net.Conn
	forget func() bool // undoes that the connection ends with Until; nil: it does not
}

func keep(until context.Context, conn net.Conn) net.Conn {
	c := &kept{Conn: conn}
	if until != nil {
		c.forget = context.AfterFunc(until, func() { _ = conn.Close() }) // its user gets the error
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
	var failed net.Error // also the kernel's, for a peer that acknowledges nothing
	if !errors.As(err, &failed) || !failed.Timeout() {
		return err
	}
	_ = c.Close() // the timeout is the error to report
	return fmt.Errorf("no answer in time, so that the connection was given up: %w (%w)", io.EOF, err)
}
