package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
)

// Bounds of a verifier.
const (
	headerBytes = 512 // the largest decoded header of the fast path
	maxMACs     = 4   // cached keyed hashes; with more keys, the last ones share a slot
)

// verifier is the memory of one verification, reused by the next.
type verifier struct {
	macs    []mac
	encoded [headerBytes*4/3 + 1]byte // the last header, size bytes of it
	size    int
	parsed  tokenHeader       // the members of the last header
	header  [headerBytes]byte // the last header, decoded
	payload [payloadBytes]byte
	sum     [sha256.Size]byte
	sent    [sha256.Size]byte
}

// mac is a keyed hash; setting the key costs more than hashing a token.
type mac struct {
	key  []byte
	hash hash.Hash
}

// readHeader reads the header of a token. It returns a fault if the header is no base64url, if the algorithm is not HS256, or
// if the header has a critical parameter, because the gateway implements none (RFC 7515, 4.1.11). usual is false, and there is
// no key id, for a header that the scanner does not read: a general decoder then decides after the check of the signature.
func (v *verifier) readHeader(encoded []byte) (keyID []byte, usual bool, fault tokenFault) {
	if strictBase64.DecodedLen(len(encoded)) > headerBytes {
		return nil, false, 0
	}
	h := v.parsed
	// the tokens of one identity provider have the same header
	if v.size == 0 || string(encoded) != string(v.encoded[:v.size]) {
		v.size = 0
		n, err := strictBase64.Decode(v.header[:], encoded)
		if err != nil {
			return nil, false, tokenMalformed
		}
		if h, usual = scanHeader(v.header[:n]); !usual {
			return nil, false, 0
		}
		v.parsed, v.size = h, copy(v.encoded[:], encoded)
	}
	switch {
	case string(h.algorithm.of(v.header[:])) != algorithm:
		fault = tokenAlgorithm
	case h.critical:
		fault = tokenMalformed
	}
	return h.keyID.of(v.header[:]), true, fault
}

// tokenHeader is the members of a token's header that the gateway reads; an absent member is zero.
type tokenHeader struct {
	algorithm span
	keyID     span
	critical  bool
}

// scanHeader reads a flat JSON object as scanClaims does.
func scanHeader(p []byte) (h tokenHeader, ok bool) {
	s := scanner{text: p}
	for name, more := s.member(); more; name, more = s.member() {
		if !h.read(&s, name.of(p)) {
			return h, false
		}
	}
	return h, s.whole()
}

func (h *tokenHeader) read(s *scanner, name []byte) (ok bool) {
	switch string(name) {
	case "alg":
		h.algorithm, ok = s.plainString()
		return ok && s.once(0)
	case "kid":
		h.keyID, ok = s.plainString()
		return ok && s.once(1)
	case "crit":
		h.critical = true
	}
	return s.skip()
}

// signed compares the signature with that of every key.
func (v *verifier) signed(keys [][]byte, text, signature []byte) bool {
	if strictBase64.DecodedLen(len(signature)) != sha256.Size {
		return false
	}
	n, err := strictBase64.Decode(v.sent[:], signature)
	if err != nil {
		return false
	}
	for _, key := range keys {
		if len(key) >= minSecretBytes && v.signedWith(key, text, v.sent[:n]) {
			return true
		}
	}
	return false
}

func (v *verifier) signedWith(key, text, signature []byte) bool {
	m := v.mac(key)
	m.Reset()
	_, _ = m.Write(text) // hash.Hash documents that Write never fails
	return hmac.Equal(m.Sum(v.sum[:0]), signature)
}

func (v *verifier) mac(key []byte) hash.Hash {
	for i := range v.macs {
		if &v.macs[i].key[0] == &key[0] {
			return v.macs[i].hash
		}
	}
	m := mac{key, hmac.New(sha256.New, key)}
	if len(v.macs) < maxMACs {
		v.macs = append(v.macs, m)
	} else {
		v.macs[maxMACs-1] = m
	}
	return m.hash
}
