package adminclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// LiveQuery selects rows of a sale's numbers. Search is a part of a SKU or its name, Sort one of sku, available, sold and orders.
type LiveQuery struct {
	Search string
	Sort   string // empty: sku, the order of the definition
	From   int
	Limit  int // 1 to 200
}

func (q *LiveQuery) encode() string {
	values := url.Values{"from": {strconv.Itoa(q.From)}, "limit": {strconv.Itoa(q.Limit)}}
	if q.Search != "" {
		values.Set("q", q.Search)
	}
	if q.Sort != "" {
		values.Set("sort", q.Sort)
	}
	return "?" + values.Encode()
}

// Live reads the numbers of a sale.
func (c *Client) Live(ctx context.Context, id string, query LiveQuery) ([]byte, error) {
	return c.quick(ctx, http.MethodGet, salePath(id, "live")+query.encode(), nil)
}

// LiveSales reads the numbers of all sales that are not archived, in short.
func (c *Client) LiveSales(ctx context.Context) ([]byte, error) {
	return c.quick(ctx, http.MethodGet, liveSalesPath, nil)
}

const liveSalesPath = "/admin/v1/live"

// WatchLive calls each with the name and the data of every event of a sale, until ctx or the stream ends. Its error says why.
func (c *Client) WatchLive(ctx context.Context, id string, query LiveQuery, each func(event string, data []byte)) error {
	return c.watch(ctx, salePath(id, "live")+query.encode(), each)
}

// WatchLiveSales is WatchLive for the list of all sales.
func (c *Client) WatchLiveSales(ctx context.Context, each func(event string, data []byte)) error {
	return c.watch(ctx, liveSalesPath, each)
}

// silence is the longest time without a line of a stream: the API sends a comment every 15 s. After it the stream is taken for
// lost, as where the gateway's machine has lost its power.
const silence = 40 * time.Second

var errSilent = fmt.Errorf("nothing came for %s", silence)

func (c *Client) watch(ctx context.Context, path string, each func(event string, data []byte)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer silent.Stop()
	response, err := c.send(ctx, http.MethodGet, path, nil, "text/event-stream")
	if err != nil {
		return err
	}
	defer closeBody(response)
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		_, err := c.readAnswer(response)
		if err == nil {
			err = fmt.Errorf("%w: the listener at %s answers no events", ErrUnreadable, c.base)
		}
		return err
	}
	err = eachEvent(response.Body, each, func() { silent.Reset(silence) })
	if errors.Is(context.Cause(ctx), errSilent) {
		err = errSilent
	}
	if err == nil {
		err = io.EOF
	}
	return fmt.Errorf("%w: the stream of the operators' API at %s ended: %w", ErrUnreadable, c.base, err)
}

// eachEvent reads Server-Sent Events with one line of data each. It calls heard for every line.
func eachEvent(stream io.Reader, each func(event string, data []byte), heard func()) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(make([]byte, 0, 64<<10), maxAnswerBytes)
	event := ""
	for lines.Scan() {
		heard()
		switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
		case "event":
			event = value
		case "data":
			each(event, []byte(value))
		}
	}
	return lines.Err()
}
