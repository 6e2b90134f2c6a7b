package client

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever a server sends, reading it ends without a panic and within the bounds; when the standard library accepts the
// same answer, status and body are equal.
func FuzzResponse(f *testing.F) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 x\r\nRetry-After: 2\r\nConnection: close\r\n\r\nrest",
		"HTTP/1.0 204 No Content\r\n\r\n",
		"HTTP/1.1 200\nContent-Length:1\n\nx",
		"\r\n",
	} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var ours Response
		if ours.read(bufio.NewReaderSize(bytes.NewReader(answer), readBuffer)) != nil {
			return
		}
		require.GreaterOrEqual(t, ours.Status, 200)
		require.LessOrEqual(t, len(ours.Body), maxBodyBytes)
		in := bufio.NewReader(bytes.NewReader(answer))
		theirs, err := http.ReadResponse(in, nil)
		for err == nil && theirs.StatusCode < 200 {
			theirs, err = http.ReadResponse(in, nil)
		}
		if err != nil {
			return // the library is stricter about headers that this client ignores
		}
		body, err := io.ReadAll(theirs.Body)
		require.NoError(t, theirs.Body.Close())
		if err != nil {
			return
		}
		require.Equal(t, theirs.StatusCode, ours.Status)
		require.Equal(t, string(body), string(ours.Body))
	})
}
