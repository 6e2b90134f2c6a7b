package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// conn is one keep-alive HTTP/1.1 connection that costs a few microseconds a request, so that the crowd does not take
// the processor away from what it presses. It also says exactly what was on the wire, which http.Client does not.
type conn struct {
	net.Conn
	reader *bufio.Reader
	out    []byte
}

func dial(address string) (*conn, error) {
	c, err := net.DialTimeout("tcp", address, 3*time.Second)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, reader: bufio.NewReaderSize(c, 8<<10)}, nil
}

const answerWithin = 10 * time.Second // twice what the contract allows a purchase

// exchange sends the bytes and reads one answer. header has canonical lower-case names.
func (c *conn) exchange(request []byte) (status int, header map[string]string, body []byte, err error) {
	return c.exchangeFor(request, answerWithin)
}

func (c *conn) exchangeFor(request []byte, within time.Duration) (status int, header map[string]string, body []byte, err error) {
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return 0, nil, nil, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, nil, nil, err
	}
	return c.read()
}

func (c *conn) read() (status int, header map[string]string, body []byte, err error) {
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

// told is what a buyer learned from one press.
type told struct {
	press
	status    int // 0 when no answer came
	code      string
	order     string
	available int
	sent, got time.Time
}

// perhaps reports whether the buyer cannot know if something was taken.
func (t *told) perhaps() bool { return t.status == 0 || t.status == 504 }

// has reports whether the answer named an order of the press.
func (t *told) has() bool { return t.status == 202 || t.status == 200 }

// again reports whether an app presses again after this answer.
func (t *told) again() bool {
	return t.perhaps() || t.status == 503 || t.status == 429 || t.code == "not_enough"
}

// send presses once over the connection.
func (c *conn) send(host, path, bearer string, p press) (told, error) {
	body := ""
	if p.quantity > 0 {
		body = `{"quantity":` + strconv.Itoa(p.quantity) + "}"
	}
	out := append(c.out[:0], "POST "...)
	out = append(append(out, path...), " HTTP/1.1\r\nHost: "...)
	out = append(append(out, host...), "\r\nAuthorization: Bearer "...)
	out = append(append(out, bearer...), "\r\n"...)
	if p.key != "" {
		out = append(append(append(out, `Idempotency-Key: "`...), p.key...), "\"\r\n"...)
	}
	out = append(out, "Content-Length: "...)
	out = append(strconv.AppendInt(out, int64(len(body)), 10), "\r\n\r\n"...)
	c.out = append(out, body...)
	t := told{press: p, sent: time.Now()}
	status, _, content, err := c.exchange(c.out)
	t.got = time.Now()
	if err != nil {
		return t, err
	}
	return t, t.understand(status, content)
}

func (t *told) understand(status int, content []byte) error {
	var answer struct {
		Code      string `json:"code"`
		Status    any    `json:"status"`
		OrderID   string `json:"order_id"`
		Available int    `json:"available"`
	}
	if err := json.Unmarshal(content, &answer); err != nil {
		return fmt.Errorf("%d %s: %w", status, content, err)
	}
	t.status, t.code, t.order, t.available = status, answer.Code, answer.OrderID, answer.Available
	if word, is := answer.Status.(string); is {
		t.code = word // an order: held, queued or where a replayed one has got to
	}
	return nil
}
