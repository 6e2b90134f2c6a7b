package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestBrokenFraming: each request gets a problem, the connection closes, and no request reaches the Stock.
func TestBrokenFraming(t *testing.T) {
	s := newScene(t).open(autumn())
	start := "POST " + phoneOrders + " HTTP/1.1\r\nHost: shop\r\n" + bearer("ann") + "\r\n"
	for name, request := range map[string]string{
		"no method":                    " / HTTP/1.1\r\nHost: shop\r\n\r\n",
		"no version":                   "GET /livez\r\nHost: shop\r\n\r\n",
		"bad version":                  "GET /livez HTTP/x.y\r\nHost: shop\r\n\r\n",
		"no host":                      "GET /livez HTTP/1.1\r\n\r\n",
		"two hosts":                    "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"NUL in the path":              "GET /v1/sales/a\x00b HTTP/1.1\r\nHost: shop\r\n\r\n",
		"header without colon":         start + "rubbish\r\n\r\n",
		"space before the colon":       start + "Content-Length : 0\r\n\r\n",
		"control character":            start + "X: a\x01b\r\nContent-Length: 0\r\n\r\n",
		"folded header":                start + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
		"doubled length":               start + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
		"conflicting lengths":          start + "Content-Length: 2\r\nContent-Length: 14\r\n\r\n{}",
		"list of lengths":              start + "Content-Length: 2, 2\r\n\r\n{}",
		"negative length":              start + "Content-Length: -1\r\n\r\n",
		"length with a sign":           start + "Content-Length: +2\r\n\r\n{}",
		"length in hex":                start + "Content-Length: 0x2\r\n\r\n{}",
		"huge length":                  start + "Content-Length: 99999999999999999999\r\n\r\n",
		"length and chunked":           start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked and length":           start + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"length and identity":          start + "Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\n{}",
		"doubled encoding":             start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"unknown encoding":             start + "Transfer-Encoding: gzip\r\n\r\n",
		"chunked in HTTP/1.0":          "POST " + phoneOrders + " HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"bad chunk size":               start + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"chunk without its line break": start + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n",
		"truncated chunk":              start + "Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
		"truncated body":               start + "Content-Length: 14\r\n\r\n{\"quan",
		"truncated headers":            "POST " + phoneOrders + " HTTP/1.1\r\nHost: sh",
	} {
		t.Run(name, func(t *testing.T) {
			before := s.counted(sale.OutcomeMalformed)
			r := s.halfClosed(request)
			s.refused(r, sale.OutcomeMalformed, nil)
			require.True(t, r.closes)
			require.Equal(t, before+1, s.counted(sale.OutcomeMalformed))
		})
	}
	require.Empty(t, s.stock.purchases())
	require.Equal(t, http.StatusOK, s.send("GET", "/livez", "").status, "the process continues")
}

// halfClosed sends a request, ends its own direction and reads the answer and the end of the connection.
func (s *scene) halfClosed(request string) response {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	require.NoError(s.t, err)
	defer conn.Close()
	require.NoError(s.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, request)
	require.NoError(s.t, err)
	require.NoError(s.t, conn.(*net.TCPConn).CloseWrite())
	reader := bufio.NewReader(conn)
	r := s.read(reader, "POST")
	_, err = reader.ReadByte()
	require.ErrorIs(s.t, err, io.EOF)
	return r
}

func TestHeaderSizes(t *testing.T) {
	s := newScene(t).open(autumn())
	request := func(size int) string {
		head := "GET /livez HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nX: "
		return head + strings.Repeat("x", size-len(head)-4) + "\r\n\r\n"
	}
	require.Equal(t, http.StatusOK, s.raw(request(maxHeaderBytes)).status)
	r := s.raw(request(maxHeaderBytes + 1))
	s.refused(r, sale.OutcomeHeadersTooLarge, nil)
	require.True(t, r.closes)
	s.refused(s.raw(request(100<<10)), sale.OutcomeHeadersTooLarge, nil)
	s.refused(s.send("GET", "/v1/sales/"+strings.Repeat("a", 9000), ""), sale.OutcomeHeadersTooLarge, nil)
	require.EqualValues(t, 3, s.counted(sale.OutcomeHeadersTooLarge))
}

// TestLargeBodyStillGetsItsAnswer sends far more than the gateway reads: a reset must not lose the answer.
func TestLargeBodyStillGetsItsAnswer(t *testing.T) {
	s := newScene(t).open(autumn())
	for range 20 {
		size := 200 << 10
		r := s.raw(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n%s", phoneOrders, size,
			strings.Repeat("x", size)))
		s.refused(r, sale.OutcomeBodyTooLarge, nil)
	}
}

func TestSlowHeadersTimeOut(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.ReadTimeout = 50 * time.Millisecond }).open(autumn())
	for _, started := range []string{"P", "POST / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{"} {
		r := s.raw(started)
		s.problem(r, http.StatusRequestTimeout, "request_timeout", "The request took too long to arrive", nil)
		require.True(t, r.closes)
	}
}

// TestSilentConnectionsEnd: a connection that browsers open in advance and never use ends without an answer to no request.
func TestSilentConnectionsEnd(t *testing.T) {
	s := newScene(t, func(o *Options, _ *Deps) { o.ReadTimeout = 50 * time.Millisecond }).open(autumn())
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Empty(t, string(answer))
}

// TestRequestsThatComeInPieces: a request is read wherever its bytes are divided, also beyond what one read takes in advance.
func TestRequestsThatComeInPieces(t *testing.T) {
	s := newScene(t).open(autumn())
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for n, pieces := range []int{1, 2, 50, 3} {
		press := "POST " + phoneOrders + " HTTP/1.1\r\nHost: shop\r\n" + bearer(fmt.Sprint("piece-", n)) +
			"\r\nX-Filler: " + strings.Repeat("x", 7000) + "\r\nContent-Length: 3014\r\n\r\n{\"quantity\":1}" +
			strings.Repeat(" ", 3000)
		size := (len(press) + pieces - 1) / pieces
		for piece := range slices.Chunk([]byte(press), size) {
			_, err := conn.Write(piece)
			require.NoError(t, err)
			<-time.After(2 * time.Millisecond) // so that the gateway reads it alone
		}
		require.Equal(t, http.StatusAccepted, s.read(reader, "POST").status)
	}
}

// TestSurplusDoesNotResetTheAnswer: what follows the last request of a connection, in the same segment, is read with it, so that
// the close is no reset that takes the answer from the peer.
func TestSurplusDoesNotResetTheAnswer(t *testing.T) {
	s := newScene(t).open(autumn())
	last := "GET /livez HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
	for surplus := 1000; surplus <= 7000; surplus += 1000 {
		conn, err := net.Dial("tcp", s.address)
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.WriteString(conn, last+strings.Repeat("x", surplus))
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err, surplus)
		require.Contains(t, string(answer), "200 OK")
		require.NoError(t, conn.Close())
	}
}

func TestKeptConnections(t *testing.T) {
	s := newScene(t).open(autumn())
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()
	reader := bufio.NewReader(conn)
	press := "POST " + phoneOrders + " HTTP/1.1\r\nHost: shop\r\n" + bearer("ann") +
		"\r\nContent-Length: 14\r\n\r\n{\"quantity\":1}"
	for range 3 {
		_, err = io.WriteString(conn, press)
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, s.read(reader, "POST").status)
	}
	_, err = io.WriteString(conn, press+press+"GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n") // pipelined
	require.NoError(t, err)
	for _, status := range []int{202, 202, 200} {
		require.Equal(t, status, s.read(reader, "POST").status)
	}
}

func TestExpectContinue(t *testing.T) {
	s := newScene(t).open(autumn())
	conn, err := net.Dial("tcp", s.address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn,
		"POST "+phoneOrders+" HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\n"+bearer("ann")+"\r\nContent-Length: 14\r\n\r\n")
	require.NoError(t, err)
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue")
	_, err = reader.ReadString('\n')
	require.NoError(t, err)
	_, err = io.WriteString(conn, `{"quantity":3}`)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, s.read(reader, "POST").status)
	require.Equal(t, 3, s.stock.purchases()[0].Lines[0].Quantity)
}

func TestOldHTTP(t *testing.T) {
	s := newScene(t).open(autumn())
	r := s.raw("GET /livez HTTP/1.0\r\n\r\n")
	require.Equal(t, http.StatusOK, r.status)
	require.True(t, r.closes)
}

func TestAnswersDoNotNameTheServer(t *testing.T) {
	s := newScene(t).open(autumn())
	r := s.send("GET", "/v1/time", "")
	require.Empty(t, r.header.Get("Server"))
	require.NotEmpty(t, r.header.Get("Date"))
}
