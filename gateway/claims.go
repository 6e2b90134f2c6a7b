package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// span is a piece of a decoded payload. Positions and not slices, so that the payload can stay on the stack.
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

// strictBase64 is base64url without padding that refuses stray bits in the last character, so that no two texts are the
// same token.
var strictBase64 = base64.RawURLEncoding.Strict()

// payloadBytes is the largest decoded payload that the fast path takes; it lives on the stack.
const payloadBytes = 512

// splitToken cuts a compact JWS in its three parts.
func splitToken(token []byte) (header, payload, signature []byte, ok bool) {
	header, rest, first := bytes.Cut(token, []byte{'.'})
	payload, signature, second := bytes.Cut(rest, []byte{'.'})
	return header, payload, signature, first && second && bytes.IndexByte(signature, '.') < 0
}

// scanClaims reads a flat JSON object of plain strings, integers and literals: what nearly every token is. It returns
// false when the payload is anything else, valid or not, or names a claim it reads twice: then a general decoder has the
// word.
func scanClaims(p []byte) (c claims, ok bool) {
	s := scanner{text: p}
	if !s.take('{') {
		return c, false
	}
	if s.take('}') {
		return c, s.done()
	}
	var seen [5]bool
	for {
		name, ok := s.word()
		if !ok || !s.take(':') || !c.read(&s, name.of(p), &seen) {
			return c, false
		}
		if s.take(',') {
			continue
		}
		return c, s.take('}') && s.done()
	}
}

func (c *claims) read(s *scanner, name []byte, seen *[5]bool) (ok bool) {
	once := func(i int) bool { first := !seen[i]; seen[i] = true; return first }
	switch string(name) {
	case "sub":
		c.subject, ok = s.word()
		return ok && once(0)
	case "iss":
		c.issuer, ok = s.word()
		return ok && once(1)
	case "aud":
		c.audience, ok = s.word()
		return ok && once(2)
	case "exp":
		c.expires, ok = s.integer()
		return ok && once(3)
	case "nbf":
		c.begins, ok = s.integer()
		return ok && once(4)
	}
	return s.skip()
}

// scanner walks over JSON text. Every method skips white space first and returns false without a promise about where it
// stands then.
type scanner struct {
	text []byte
	at   int
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

// word reads a string of printable ASCII without escapes.
func (s *scanner) word() (span, bool) {
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

// integer reads a whole number of 1 to 15 digits, exact in every JSON reader.
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
		_, ok := s.word()
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

// peekSubject returns the buyer that a token claims to be, without believing it: the sold-out latch uses it to let
// possible owners pass. It copies into buf, and returns nil when the token names nobody.
func peekSubject(token []byte, buf *[payloadBytes]byte) []byte {
	_, payload, _, ok := splitToken(token)
	if !ok || len(token) > maxTokenBytes {
		return nil
	}
	if strictBase64.DecodedLen(len(payload)) <= payloadBytes {
		n, err := strictBase64.Decode(buf[:], payload)
		if err != nil {
			return nil
		}
		if c, ok := scanClaims(buf[:n]); ok {
			return c.subject.of(buf[:n])
		}
	}
	return peekUnusualSubject(payload)
}

// peekUnusualSubject reads the payloads that scanClaims leaves alone, as the verifier will.
func peekUnusualSubject(payload []byte) []byte {
	decoded, err := strictBase64.AppendDecode(nil, payload)
	if err != nil {
		return nil
	}
	var members map[string]any
	if err := json.Unmarshal(decoded, &members); err != nil {
		return nil
	}
	subject, _ := members["sub"].(string) // another type names nobody
	return []byte(subject)
}
