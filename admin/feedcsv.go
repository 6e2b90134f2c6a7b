package admin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flashsale/sale"
)

const mediaCSV = "text/csv"

const (
	csvPage  = 5000     // orders that a stream reads at a time
	csvChunk = 64 << 10 // bytes that a client takes within Options.ChunkLimit
)

// csvHeader names the columns. A row is a line of an order; the columns of the order are repeated in each of its rows.
const csvHeader = "order_id,sale,buyer_id,status,reason,line,lines,sku,quantity,unit_price_cents,total_cents,currency," +
	"payment_id,created_at,updated_at,pay_by\r\n"

// streamOrders answers with every order of the request as CSV (RFC 4180). It reads a page at a time.
// When it fails after its first byte, it aborts the connection, so that no client takes the part for the whole. Without chunks,
// which HTTP/1.0 does not have, a client could not see that.
func (a *API) streamOrders(c *call, request *feedRequest) error {
	if !c.r.ProtoAtLeast(1, 1) {
		return malformed("", "CSV needs HTTP/1.1, because HTTP/1.0 does not show where an answer was cut; "+
			"a proxy may be set to it, as nginx by proxy_http_version 1.1")
	}
	release, err := a.takeStream()
	if err != nil {
		return err
	}
	defer release()
	request.query.Limit = csvPage
	page, err := a.feedPage(c, request)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", mediaCSV+"; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="orders.csv"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would write the stream into a file
	h.Set(headerCompleteUntil, request.completeUntil())
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if err := a.writePages(c, request, page); err != nil {
		level := slog.LevelError
		if errors.Is(err, errNotTaken) {
			level = slog.LevelInfo // the client is gone, or too slow
		}
		a.opts.Logger.Log(c.r.Context(), level, "stream of orders cut", "request_id", c.actor.RequestID, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// writePages writes a page and all that follow it. It reads the next page while it writes one, so that two are in memory.
func (a *API) writePages(c *call, request *feedRequest, page sale.OrderPage) error {
	out := bufio.NewWriterSize(&boundedWriter{c.w, http.NewResponseController(c.w), a.opts.ChunkLimit}, csvChunk)
	if _, err := out.WriteString(csvHeader); err != nil {
		return err
	}
	var row []byte
	for {
		var next <-chan readPage
		if page.Next != nil {
			request.query.After = page.Next
			next = a.readAhead(c, *request)
		}
		for i := range page.Orders {
			row = appendCSV(row[:0], &page.Orders[i])
			if _, err := out.Write(row); err != nil {
				return err
			}
		}
		if next == nil {
			return out.Flush()
		}
		read := <-next
		if read.err != nil {
			return read.err
		}
		page = read.page
	}
}

// readPage is a page of the feed, or why it could not be read.
type readPage struct {
	page sale.OrderPage
	err  error
}

// readAhead reads a page beside the handler, until the end of the request at the latest.
func (a *API) readAhead(c *call, request feedRequest) <-chan readPage {
	read := make(chan readPage, 1)
	go func() {
		defer func() {
			if cause := recover(); cause != nil { // outside the handler a panic would end the process
				read <- readPage{err: fmt.Errorf("reading a page of orders panicked: %v", cause)}
			}
		}()
		page, err := a.feedPage(c, &request)
		read <- readPage{page, err}
	}()
	return read
}

// errNotTaken is the error of writing to a client.
var errNotTaken = errors.New("the client did not take the orders")

// boundedWriter fails when the client does not take a write within the limit.
type boundedWriter struct {
	w       io.Writer
	control *http.ResponseController
	limit   time.Duration
}

func (b *boundedWriter) Write(p []byte) (int, error) {
	if err := b.control.SetWriteDeadline(time.Now().Add(b.limit)); err != nil {
		return 0, fmt.Errorf("%w: %w", errNotTaken, err)
	}
	n, err := b.w.Write(p)
	if err != nil {
		return n, fmt.Errorf("%w: %w", errNotTaken, err)
	}
	return n, nil
}

// appendCSV writes the rows of an order. A buyer id or a payment id may begin with + - or @, which spreadsheets take for a
// formula. It is written as it is, because shops join tables by it, and because its alphabet has no sign of a formula that calls
// a function or names a file: neither = ( ) ! nor a quote.
func appendCSV(dst []byte, o *sale.Order) []byte {
	for i := range o.Lines {
		line := &o.Lines[i]
		dst = append(strconv.AppendInt(dst, int64(o.OrderID), 10), ',')
		for _, text := range []string{o.Sale, o.BuyerID, string(o.Status), string(o.Reason)} {
			dst = append(appendCell(dst, text), ',')
		}
		dst = append(strconv.AppendInt(dst, int64(i+1), 10), ',')
		dst = append(strconv.AppendInt(dst, int64(len(o.Lines)), 10), ',')
		dst = append(appendCell(dst, line.SKU), ',')
		for _, n := range []int64{int64(line.Quantity), line.UnitPriceCents, sale.TotalCents(o.Lines)} {
			dst = append(strconv.AppendInt(dst, n, 10), ',')
		}
		dst = append(appendCell(dst, o.Currency), ',')
		dst = append(appendCell(dst, o.PaymentID), ',')
		dst = append(sale.AppendTime(dst, o.CreatedAt.Time), ',')
		dst = append(sale.AppendTime(dst, o.UpdatedAt.Time), ',')
		if o.PayBy != nil {
			dst = sale.AppendTime(dst, o.PayBy.Time)
		}
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// appendCell writes a text, in quotes where it needs them. No valid id does.
func appendCell(dst []byte, text string) []byte {
	if !strings.ContainsAny(text, ",\"\r\n") {
		return append(dst, text...)
	}
	return append(append(append(dst, '"'), strings.ReplaceAll(text, `"`, `""`)...), '"')
}
