package gateway

import (
	"bytes"
	"encoding/base64"
)

// span is a part of a decoded payload. It has positions instead of a slice, so that the payload's memory can be reused.
type span struct{ from, to int }

func (s span) of(payload []byte) []byte { return payload[s.from:s.to] }

// claims are the members of a token's payload that the gateway reads; an absent one is zero.
type claims struct {
	subject  span
	issuer   span
	audience span
	expires  int64 // seconds
	begins   int64 // nbf, in seconds
}

// strictBase64 is base64url without padding. It refuses stray bits in the last character, so that two texts never decode to
// the same token.
var strictBase64 = base64.RawURLEncoding.Strict()

// payloadBytes is the largest decoded payload of the fast path, which is the buffer of a verifier.
const payloadBytes = 512

// splitToken cuts a compact JWS into its three parts.
func splitToken(token []byte) (header, payload, signature []byte, ok bool) {
	header, rest, first := bytes.Cut(token, []byte{'.'})
	payload, signature, second := bytes.Cut(rest, []byte{'.'})
	return header, payload, signature, first && second && bytes.IndexByte(signature, '.') < 0
}

// scanClaims reads a flat JSON object of plain strings, integers and literals, the form of most tokens. The audience may be
// a list of one. It returns false for any other payload, valid or not, and for one that has a claim twice that it reads: a
// general decoder then decides.
func scanClaims(p []byte) (c claims, ok bool) {
	s := scanner{text: p}
	for name, more := s.member(); more; name, more = s.member() {
		if !c.read(&s, name.of(p)) {
			return c, false
		}
	}
	return c, s.whole()
}

func (c *claims) read(s *scanner, name []byte) (ok bool) {
	switch string(name) {
	case "sub":
		c.subject, ok = s.plainString()
		return ok && s.once(0)
	case "iss":
		c.issuer, ok = s.plainString()
		return ok && s.once(1)
	case "aud":
		list := s.take('[') // a list of one: many identity providers write it
		c.audience, ok = s.plainString()
		return ok && (!list || s.take(']')) && s.once(2)
	case "exp":
		c.expires, ok = s.integer()
		return ok && s.once(3)
	case "nbf":
		c.begins, ok = s.integer()
		return ok && s.once(4)
	}
	return s.skip()
}

// scanner reads JSON text. Every method skips white space first. After a method returns false, the position is undefined.
type scanner struct {
	text   []byte
	at     int
	inside bool // the object has begun
	closed bool // and ended
	seen   uint8
}

// member reads the name of the object's next member, up to its value. It returns false after the last member and for text
// that it does not read; whole distinguishes the two.
func (s *scanner) member() (name span, ok bool) {
	switch {
	case !s.inside:
		if s.inside = s.take('{'); !s.inside {
			return span{}, false
		}
		if s.take('}') {
			s.closed = true
			return span{}, false
		}
	case s.take('}'):
		s.closed = true
		return span{}, false
	case !s.take(','):
		return span{}, false
	}
	name, ok = s.plainString()
	return name, ok && s.take(':')
}

// whole reports whether the text was one object and nothing else.
func (s *scanner) whole() bool { return s.closed && s.done() }

// once reports whether it is called for the first time with a number, 0 to 7: each claim has one.
func (s *scanner) once(number int) bool {
	first := s.seen&(1<<number) == 0
	s.seen |= 1 << number
	return first
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) take(c byte) bool {
	s.space()
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) done() bool {
	s.space()
	return s.at == len(s.text)
}

// plainString reads a string of printable ASCII without escapes.
func (s *scanner) plainString() (span, bool) {
	if !s.take('"') {
		return span{}, false
	}
	for from := s.at; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return span{from, s.at - 1}, true
		case c < 0x20 || c > 0x7e || c == '\\':
			return span{}, false
		}
	}
	return span{}, false
}

// integer reads a whole number of 1 to 15 digits, which every JSON reader reads exactly.
func (s *scanner) integer() (n int64, ok bool) {
	s.space()
	from := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' && s.at-from < 16 {
		n = n*10 + int64(s.text[s.at]-'0')
		s.at++
	}
	digits := s.at - from
	if digits == 0 || digits > 15 || digits > 1 && s.text[from] == '0' {
		return 0, false
	}
	return n, s.at == len(s.text) || s.text[s.at] != '.' && s.text[s.at]|0x20 != 'e'
}

// skip passes over a plain string, an integer or a literal.
func (s *scanner) skip() bool {
	s.space()
	rest := s.text[s.at:]
	if len(rest) == 0 {
		return false
	}
	switch c := rest[0]; {
	case c == '"':
		_, ok := s.plainString()
		return ok
	case c >= '0' && c <= '9':
		_, ok := s.integer()
		return ok
	}
	for _, literal := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(rest, []byte(literal)) {
			s.at += len(literal)
			return true
		}
	}
	return false
}
