package sale

import "encoding/hex"

// SpanContext names a sampled span of a trace (W3C Trace Context, level 1). The zero value is none.
type SpanContext struct {
	TraceID [16]byte
	SpanID  [8]byte
}

// Traceparent is the HTTP header, and the header of a Kafka record, that carries a SpanContext.
const Traceparent = "traceparent"

// PurchaseTrace is the trace of a sampled purchase: its own span, and those of the batches that have decided it.
type PurchaseTrace struct {
	Span    SpanContext
	Batches []SpanContext
}

// IsZero reports whether there is no span.
func (c SpanContext) IsZero() bool { return c == SpanContext{} }

// Trace returns the id of the trace as 32 hexadecimal digits, empty for none.
func (c SpanContext) Trace() string {
	if c.IsZero() {
		return ""
	}
	return hex.EncodeToString(c.TraceID[:])
}

// Header returns the value of the traceparent header.
func (c SpanContext) Header() string {
	b := make([]byte, 0, traceparentBytes)
	b = hex.AppendEncode(append(b, "00-"...), c.TraceID[:])
	b = hex.AppendEncode(append(b, '-'), c.SpanID[:])
	return string(append(b, "-01"...))
}

// traceparentBytes is the length of a traceparent of version 00.
const traceparentBytes = 55

// ParseTraceparent reads the value of a traceparent header. Of a version above 00 it reads the members of version 00, as the
// specification asks (4.2.2). A malformed value is not ok: the trace of its sender ends there. It does not allocate.
func ParseTraceparent(value []byte) (of SpanContext, sampled, ok bool) {
	if len(value) < traceparentBytes || value[2] != '-' || value[35] != '-' || value[52] != '-' {
		return SpanContext{}, false, false
	}
	var version, flags [1]byte
	if !lowerHex(version[:], value[:2]) || !lowerHex(of.TraceID[:], value[3:35]) || !lowerHex(of.SpanID[:], value[36:52]) ||
		!lowerHex(flags[:], value[53:55]) {
		return SpanContext{}, false, false
	}
	switch {
	case version[0] == 0xff, of.TraceID == [16]byte{}, of.SpanID == [8]byte{},
		version[0] == 0 && len(value) > traceparentBytes,
		len(value) > traceparentBytes && value[traceparentBytes] != '-':
		return SpanContext{}, false, false
	}
	return of, flags[0]&1 == 1, true
}

// lowerHex decodes hexadecimal digits of lower case, the only ones that the header allows.
func lowerHex(into, digits []byte) bool {
	for i := range into {
		high, low := lowerHexDigit(digits[2*i]), lowerHexDigit(digits[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		into[i] = high<<4 | low
	}
	return true
}

func lowerHexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
