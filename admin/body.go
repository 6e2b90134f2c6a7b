package admin

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"flashsale/sale"
)

const (
	// maxDrainBytes and drainLimit bound how much of a refused body the server reads. It reads on so that the client
	// gets the answer instead of a connection reset.
	maxDrainBytes = 64 << 20
	drainLimit    = 5 * time.Second
)

// readBody reads the whole body within its limits of size and time.
func readBody(w http.ResponseWriter, r *http.Request, limit time.Duration) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > sale.MaxDocumentBytes {
		drain(w, r)
		return nil, &http.MaxBytesError{Limit: sale.MaxDocumentBytes}
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, fmt.Errorf("bound the reading of a body: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, sale.MaxDocumentBytes+1))
	if len(body) > sale.MaxDocumentBytes {
		drain(w, r)
		return nil, &http.MaxBytesError{Limit: sale.MaxDocumentBytes}
	}
	if err != nil {
		return nil, malformed("", "the body could not be read to its end")
	}
	// The server keeps reading to notice that a client closes the connection. A deadline that stays set would look like
	// such a close.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("bound the reading of a body: %w", err)
	}
	return body, nil
}

// drain reads the rest of a refused body, bounded. A client that waits for 100 Continue has sent nothing.
func drain(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") != "" {
		return
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainLimit)); err == nil {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrainBytes) // a failure changes nothing: the body is refused
	}
}
