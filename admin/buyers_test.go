package admin

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const listedSale = `{"name":"Phones","starts_at":"2026-11-11T10:00:00Z","ends_at":"2026-11-11T12:00:00Z",
"eligibility":"list","items":[{"sku":"phone","stock":10,"price_cents":129900}]}`

// buyerStream writes one id per line without keeping them in memory, and one bad line when asked to.
type buyerStream struct {
	next, count int
	badLine     int
	rest        []byte
}

func (s *buyerStream) Read(p []byte) (int, error) {
	for len(s.rest) < len(p) && s.next < s.count {
		s.next++
		if s.next == s.badLine {
			s.rest = append(s.rest, "not an id\n"...)
			continue
		}
		s.rest = fmt.Appendf(s.rest, "member-of-the-club-%09d\n", s.next)
	}
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func TestBuyersOfAMillionAreStreamed(t *testing.T) {
	b := newBench(t)
	b.bring("s", listedSale)
	stream := &buyerStream{count: 1_000_000} // 29 MB, more than any other body may have
	got := b.askStream("PUT", "/admin/v1/sales/s/buyers", stream).is(200)
	require.EqualValues(t, 1_000_000, got["buyers"])
	require.EqualValues(t, 1_000_000, b.store.sale("s").ListSize)
}

func TestBuyersWithABadLineChangeNothing(t *testing.T) {
	b := newBench(t)
	b.bring("s", listedSale)
	b.ask("PUT", "/admin/v1/sales/s/buyers", "u:1\n").is(200)
	for _, badLine := range []int{1, 2, 999_999, 1_000_000} {
		r := b.askStream("PUT", "/admin/v1/sales/s/buyers", &buyerStream{count: 1_000_000, badLine: badLine})
		r.field(fmt.Sprintf("line %d", badLine))
		require.EqualValues(t, badLine, r.problem(400, "malformed")["line"])
	}
	require.Equal(t, []string{"u:1"}, b.store.sale("s").Listed)
	require.EqualValues(t, 1, b.store.sale("s").ListVersion)
}

func TestBuyersLines(t *testing.T) {
	long := strings.Repeat("x", 64)
	for name, test := range map[string]struct {
		body  string
		count int
		line  string
	}{
		"last without end": {"a\nb", 2, ""},
		"CRLF":             {"a\r\nb\r\n", 2, ""},
		"twice counts one": {"a\nb\na\n", 2, ""},
		"64 characters":    {long + "\n" + long[1:], 2, ""},
		"65 characters":    {"a\n" + long + "x\n", 0, "line 2"},
		"longer than 32 K": {"a\nb\n" + strings.Repeat("x", 1<<20), 0, "line 3"},
		"blank in between": {"a\n\nb\n", 0, "line 2"},
		"blank first":      {"\n", 0, "line 1"},
		"two on a line":    {"a b\n", 0, "line 1"},
		"slash":            {"a\nb\nc/d\n", 0, "line 3"},
		"NUL":              {"a\x00\n", 0, "line 1"},
		"byte order mark":  {"\ufeffa\n", 0, "line 1"},
		"not UTF-8":        {"a\n\xff\n", 0, "line 2"},
		"CR in between":    {"a\rb\n", 0, "line 1"},
		"JSON":             {`["a","b"]`, 0, "line 1"},
		"braces":           {"{x}\n", 0, "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.bring("s", listedSale)
			r := b.ask("PUT", "/admin/v1/sales/s/buyers", test.body)
			if test.line != "" {
				r.field(test.line)
				return
			}
			require.EqualValues(t, test.count, r.is(200)["buyers"])
		})
	}
}

func TestBuyersOfAnEmptyListChangeNothing(t *testing.T) {
	b := newBench(t)
	b.bring("s", listedSale)
	b.ask("PUT", "/admin/v1/sales/s/buyers", "u:1\n").is(200)
	problem := b.ask("PUT", "/admin/v1/sales/s/buyers", "").problem(400, "malformed")
	require.Contains(t, problem["detail"], "the body has no buyers")
	require.Equal(t, []string{"u:1"}, b.store.sale("s").Listed)
	require.EqualValues(t, 1, b.store.sale("s").ListVersion)
}

func TestBuyersOnlyOfListedSalesBeforeOpen(t *testing.T) {
	b := newBench(t)
	b.ask("PUT", "/admin/v1/sales/none/buyers", "a\n").problem(404, "sale_not_found")
	b.bring("open-to-all", phoneSale)
	b.ask("PUT", "/admin/v1/sales/open-to-all/buyers", "a\n").problem(409, "wrong_state")
	b.bring("s", listedSale, "preload")
	b.ask("PUT", "/admin/v1/sales/s/buyers", "a\n").is(200)
	for _, move := range []string{"open", "pause", "close"} {
		state := b.ask("POST", "/admin/v1/sales/s/"+move, "").is(200)["state"]
		big := &buyerStream{count: 500_000} // the answer reaches a client that is still sending
		require.Equal(t, state, b.askStream("PUT", "/admin/v1/sales/s/buyers", big).problem(409, "wrong_state")["state"])
	}
	require.Equal(t, []string{"a"}, b.store.sale("s").Listed)
}

func TestBuyersOfAClientThatBreaksOff(t *testing.T) {
	b := newBench(t)
	b.bring("s", listedSale)
	connection, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "PUT /admin/v1/sales/s/buyers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+adminToken+
		"\r\nContent-Length: 1000\r\n\r\na\nb\nc")
	require.NoError(t, err)
	require.NoError(t, connection.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(connection)
	require.NoError(t, err)
	require.Contains(t, string(answer), "HTTP/1.1 400 Bad Request")
	require.Contains(t, string(answer), `"code":"malformed"`)
	require.EqualValues(t, 0, b.store.sale("s").ListVersion)
}

func TestBuyersOfASilentClientEnd(t *testing.T) {
	b := newBench(t, func(o *Options) { o.BodyLimit = 30 * time.Millisecond })
	b.bring("s", listedSale)
	pipe, feed := io.Pipe()
	defer feed.Close()
	go func() { _, _ = feed.Write([]byte("a\nb\n")) }() // then the client sends nothing more; the server closes the connection
	response := b.askStream("PUT", "/admin/v1/sales/s/buyers", pipe)
	response.problem(400, "malformed")
	require.EqualValues(t, 0, b.store.sale("s").ListVersion)
}

func TestBuyerLinesTellReadersFaultsApart(t *testing.T) {
	lines := newBuyerLines(io.MultiReader(strings.NewReader("a\nb"), &broken{}))
	first, err := lines.next()
	require.NoError(t, err)
	require.Equal(t, "a", first)
	_, err = lines.next()
	require.ErrorContains(t, err, "line 2")
	require.Equal(t, err, lines.fault)
}

type broken struct{}

func (*broken) Read([]byte) (int, error) { return 0, errors.New("cable pulled") }
