package admin

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// csvRows asks for the feed as CSV and reads it, with the header first.
func (b *bench) csvRows(query string) (*reply, [][]string) {
	b.t.Helper()
	r := b.ask("GET", "/admin/v1/orders?"+query, "", "Accept", "text/csv")
	require.Equal(b.t, 200, r.Status, "%s", r.Body)
	require.Equal(b.t, "text/csv; charset=utf-8; header=present", r.Header.Get("Content-Type"))
	require.Equal(b.t, "no-store", r.Header.Get("Cache-Control"))
	rows, err := csv.NewReader(strings.NewReader(string(r.Body))).ReadAll()
	require.NoError(b.t, err)
	return r, rows
}

// The CSV has the rows of all pages: one for each line of an order, with the members of the order in each.
func TestFeedAsCSV(t *testing.T) {
	b := newBench(t)
	orders := b.feedOrders(csvPage + 11)
	payBy := sale.Time{Time: tenOClock}
	orders[0].PayBy, orders[0].Reason, orders[0].BuyerID = &payBy, sale.ReasonShop, "+49@x"
	b.store.SeedOrder(orders[0])
	r, rows := b.csvRows("limit=1")
	require.Equal(t, strings.Split(strings.TrimSpace(csvHeader), ","), rows[0])
	ten := tenText(0)
	require.Equal(t, [][]string{
		{"7000", "s", "+49@x", "paid", "shop", "1", "2", "phone", "1", "5", "11", "CNY", "pay:0", ten, ten, ten},
		{"7000", "s", "+49@x", "paid", "shop", "2", "2", "case", "2", "3", "11", "CNY", "pay:0", ten, ten, ten},
		{"7001", "s", "u:1", "confirmed", "", "1", "1", "phone", "1", "5", "5", "CNY", "", tenText(1), tenText(1), ""},
	}, rows[1:4])
	at := 1
	for _, o := range orders {
		for i := range o.Lines {
			require.Equal(t, []string{o.OrderID.String(), fmt.Sprint(i + 1)}, []string{rows[at][0], rows[at][5]})
			at++
		}
	}
	require.Len(t, rows, at)
	require.Equal(t, at, strings.Count(string(r.Body), "\r\n"), "every line ends as RFC 4180 says")
	require.Equal(t, tenText(-30), r.Header.Get("Complete-Until"))

	_, rows = b.csvRows("status=paid&sku=case&updated_after=" + url.QueryEscape(tenText(14)))
	require.Equal(t, "7015", rows[1][0])
	_, rows = b.csvRows("sale=none")
	require.Len(t, rows, 1)
	next := b.ask("GET", "/admin/v1/orders?limit=3", "").is(200)["next"].(string)
	_, rows = b.csvRows("cursor=" + next)
	require.Equal(t, "7003", rows[1][0])
	head := b.ask("HEAD", "/admin/v1/orders", "", "Accept", "text/csv;q=0.9, application/json")
	require.Equal(t, 200, head.Status)
	require.Contains(t, head.Header.Get("Content-Type"), "text/csv")
}

func TestCellsAreQuotedWhereTheyMustBe(t *testing.T) {
	for _, text := range []string{"", "plain", "a,b", `say "x"`, "two\r\nlines", "+1", "@x"} {
		read, err := csv.NewReader(strings.NewReader(string(append(appendCell([]byte("a,"), text), '\n')))).Read()
		require.NoError(t, err)
		require.Equal(t, []string{"a", strings.ReplaceAll(text, "\r\n", "\n")}, read)
	}
}

// No id can be a formula that calls a function or names a file: the alphabets have no letter for it.
func TestIDsAreNoFormulas(t *testing.T) {
	for _, letter := range "=()!'\"\t\r\n,;/\\{}" {
		require.False(t, sale.ValidBuyerID("a"+string(letter)), "%q", letter)
		require.False(t, sale.ValidID("a"+string(letter)), "%q", letter)
	}
	for _, first := range "=+-@" {
		require.False(t, sale.ValidID(string(first)+"a"))
	}
}

// failingFeed fails from a page on.
type failingFeed struct {
	Feed
	pages int
}

func (f *failingFeed) OrderFeed(ctx context.Context, q *sale.OrderQuery) (sale.OrderPage, error) {
	if f.pages--; f.pages < 0 {
		return sale.OrderPage{}, errAway
	}
	return f.Feed.OrderFeed(ctx, q)
}

// A stream that fails in its middle does not look complete: the connection ends without the last chunk.
func TestCutStreamLooksCut(t *testing.T) {
	b := newBench(t)
	b.feedOrders(2 * csvPage)
	b.api.deps.Feed = &failingFeed{b.store, 1}
	response, err := http.DefaultTransport.RoundTrip(b.request("GET", "/admin/v1/orders", nil, "Accept", "text/csv"))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
	read, err := io.ReadAll(response.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotEmpty(t, read)

	b.api.deps.Feed = &failingFeed{b.store, 0}
	b.ask("GET", "/admin/v1/orders", "", "Accept", "text/csv").problem(503, "unavailable")
}

// HTTP/1.0 has no chunks, so that a client would take a part for the whole.
func TestNoCSVWithoutChunks(t *testing.T) {
	b := newBench(t)
	b.feedOrders(1)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	const request = "GET /admin/v1/orders HTTP/1.0\r\nAuthorization: Bearer %s\r\nAccept: text/csv\r\n\r\n"
	_, err = fmt.Fprintf(conn, request, adminToken)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 400, response.StatusCode)
}

// endlessFeed has a page after every page.
type endlessFeed struct{ order sale.Order }

func (f *endlessFeed) OrderFeed(_ context.Context, q *sale.OrderQuery) (sale.OrderPage, error) {
	page := sale.OrderPage{Orders: make([]sale.Order, q.Limit), Now: f.order.UpdatedAt,
		Next: &sale.OrderPosition{UpdatedAt: f.order.UpdatedAt, OrderID: f.order.OrderID}}
	for i := range page.Orders {
		page.Orders[i] = f.order
	}
	return page, nil
}

// A client that does not read is cut off, so that it holds its place for a while only.
func TestClientThatNeverReads(t *testing.T) {
	b := newBench(t, func(o *Options) { o.ChunkLimit = 50 * time.Millisecond })
	b.api.deps.Feed = &endlessFeed{b.feedOrders(1)[0]}
	response, err := http.DefaultTransport.RoundTrip(b.request("GET", "/admin/v1/orders", nil, "Accept", "text/csv"))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Eventually(t, func() bool { return len(b.api.streams) == 0 }, 20*time.Second, time.Millisecond)
	_, err = io.Copy(io.Discard, response.Body)
	require.Error(t, err, "it does not look complete")
}

// More streams than there are places for are refused; pages are not.
func TestStreamsOfOrdersAreBounded(t *testing.T) {
	b := newBench(t)
	b.feedOrders(1)
	for range maxStreams {
		release, err := b.api.takeStream()
		require.NoError(t, err)
		defer release()
	}
	b.ask("GET", "/admin/v1/orders", "", "Accept", "text/csv").problem(503, "overloaded")
	b.ask("GET", "/admin/v1/orders", "").is(200)
}

// deadWriter takes nothing.
type deadWriter struct{ http.ResponseWriter }

func (deadWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWritingToAClientThatIsGone(t *testing.T) {
	b := newBench(t)
	b.feedOrders(csvPage)
	served := make(chan error, 1)
	url := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r}
		out := &boundedWriter{deadWriter{w}, http.NewResponseController(w), time.Second}
		_, err := out.Write([]byte("x"))
		served <- err
		request, err := c.feedRequest()
		require.NoError(t, err)
		page, err := b.api.feedPage(c, request)
		require.NoError(t, err)
		require.Len(t, page.Orders, feedPage)
	}))
	response, err := http.Get(url)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.ErrorIs(t, <-served, errNotTaken)
}

// CSV is answered to who names it, and not to who names it to say that it is not wanted.
func TestWhoGetsCSV(t *testing.T) {
	b := newBench(t)
	for accept, wanted := range map[string]bool{
		"text/csv": true, "TEXT/CSV; charset=utf-8": true, "application/json, text/csv;q=0.1": true, "text/csv; q=1": true,
		"*/*": false, "text/*": false, "text/csv;q=0": false, "text/csv; charset=utf-8; Q=0.000, */*": false, "": false,
	} {
		r := b.ask("GET", "/admin/v1/orders", "", "Accept", accept)
		require.Equal(t, 200, r.Status)
		require.Equal(t, wanted, strings.HasPrefix(r.Header.Get("Content-Type"), mediaCSV), accept)
	}
}
