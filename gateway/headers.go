package gateway

import (
	"bytes"

	"flashsale/sale"
)

// headers are the request headers that the gateway reads, in one pass over the raw bytes. The slices point into the request
// and are valid as long as it.
type headers struct {
	authorization  []byte
	authorizations int
	key            []byte // Idempotency-Key as sent
	keys           int
	requestID      []byte // X-Request-Id as sent
	requestIDs     int
	traceparent    []byte // as sent
	traceparents   int
	length         bool // there is a Content-Length
	encoding       bool // there is a Transfer-Encoding
	folded         bool // a line continues the one before
}

// readHeaders scans a raw header block. fasthttp has already checked names, values and lengths.
func readHeaders(raw []byte) headers {
	var h headers
	for len(raw) > 0 {
		line := raw
		if end := bytes.IndexByte(raw, '\n'); end >= 0 {
			line, raw = raw[:end], raw[end+1:]
		} else {
			raw = nil
		}
		if len(line) > 0 {
			h.readLine(line)
		}
	}
	return h
}

func (h *headers) readLine(line []byte) {
	switch line[0] | 0x20 {
	case ' ', 0x29: // 0x29 is a tab with bit 5 set
		h.folded = h.folded || line[0] == ' ' || line[0] == '\t'
	case 'a':
		if value, ok := headerValue(line, "authorization:"); ok {
			h.authorization = value
			h.authorizations++
		}
	case 'i':
		if value, ok := headerValue(line, "idempotency-key:"); ok {
			h.key = value
			h.keys++
		}
	case 'c':
		if _, ok := headerValue(line, "content-length:"); ok {
			h.length = true
		}
	case 'x':
		if value, ok := headerValue(line, "x-request-id:"); ok {
			h.requestID = value
			h.requestIDs++
		}
	case 't':
		if _, ok := headerValue(line, "transfer-encoding:"); ok {
			h.encoding = true
		} else if value, ok := headerValue(line, "traceparent:"); ok {
			h.traceparent = value
			h.traceparents++
		}
	}
}

// ownID returns the id that the client has given to its request, nil for none and for several.
func (h *headers) ownID() []byte {
	if h.requestIDs != 1 {
		return nil
	}
	return h.requestID
}

// caller returns the place of the request in the client's trace, nil for none and for several.
func (h *headers) caller() []byte {
	if h.traceparents != 1 {
		return nil
	}
	return h.traceparent
}

// broken reports framing that two servers may read in two ways: both Content-Length and Transfer-Encoding, or a folded line
// (RFC 9112, 5.2 and 6.1). Behind a proxy it allows request smuggling.
func (h *headers) broken() bool { return h.folded || h.length && h.encoding }

// headerValue returns the trimmed value of a line that begins with the lower-case name, colon included.
func headerValue(line []byte, name string) ([]byte, bool) {
	if len(line) < len(name) {
		return nil, false
	}
	for i := 0; i < len(name); i++ {
		c := line[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != name[i] {
			return nil, false
		}
	}
	return trim(line[len(name):]), true
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

// idempotencyKey returns the key without its quotes, empty if there is none. A key is a quoted string or the same characters
// bare. An empty, repeated or invalid key is not ok.
func (h *headers) idempotencyKey() (key []byte, ok bool) {
	if h.keys == 0 {
		return nil, true
	}
	key = h.key
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	return key, h.keys == 1 && sale.ValidKey(key)
}

// bearer returns the token of the Authorization header. It is empty if there is no such header, if the scheme is another one,
// or if the header occurs twice and may name two buyers.
func (h *headers) bearer() []byte {
	const scheme = "bearer "
	if h.authorizations != 1 {
		return nil
	}
	token, ok := headerValue(h.authorization, scheme)
	if !ok {
		return nil
	}
	return token
}
