package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"flashsale/sale"
)

// KeySource yields the keys that may have signed a token which names this algorithm and key id, the most likely first.
// The gateway asks for HS256 only; other algorithms and key sets are other sources. Keys are never changed in place, and
// one shorter than 32 bytes is not used.
type KeySource interface {
	Keys(algorithm, keyID string) [][]byte
}

// Bounds of tokens.
const (
	algorithm      = "HS256"
	leeway         = 5 * time.Second // for clocks that differ
	maxTokenBytes  = 4096
	minSecretBytes = 32
)

// secrets is the KeySource of the settings: one secret and perhaps the one before it.
type secrets [][]byte

// NewSecrets returns the keys of HS256: the current secret and, unless empty, the previous one, which is still believed.
func NewSecrets(current, previous []byte) (KeySource, error) {
	if len(current) < minSecretBytes || len(previous) > 0 && len(previous) < minSecretBytes {
		return nil, fmt.Errorf("an HS256 secret must have %d bytes or more", minSecretBytes)
	}
	keys := secrets{append([]byte(nil), current...)}
	if len(previous) > 0 {
		keys = append(keys, append([]byte(nil), previous...))
	}
	return keys, nil
}

// Keys returns both secrets for HS256, whatever the key id, and none for anything else.
func (s secrets) Keys(alg, _ string) [][]byte {
	if alg != algorithm {
		return nil
	}
	return s
}

// grant is what a verified token says. It is immutable; its times are checked again at every use.
type grant struct {
	buyer   string
	expires int64 // Unix milliseconds
	begins  int64 // Unix milliseconds, 0 = at once
}

func (g *grant) valid(now time.Time) bool {
	ms := now.UnixMilli()
	return ms < g.expires+leeway.Milliseconds() && ms >= g.begins-leeway.Milliseconds()
}

// plainHeaders are the encoded headers that say HS256 and nothing else of weight: the fast path takes only them.
var plainHeaders = [...]string{
	"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", // {"alg":"HS256","typ":"JWT"}
	"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9", // {"typ":"JWT","alg":"HS256"}
	"eyJhbGciOiJIUzI1NiJ9",                 // {"alg":"HS256"}
}

// tokens verifies tokens and remembers the verified ones.
type tokens struct {
	keys     KeySource
	issuer   string
	audience string
	parser   *jwt.Parser
	cache    grantCache
	macs     sync.Pool // of *mac, for the first key of the source
}

// mac is a keyed hash and its scratch; keying a hash costs more than hashing a token.
type mac struct {
	key  []byte
	hash hash.Hash
	sum  [sha256.Size]byte
	sent [sha256.Size]byte
}

func newTokens(o Options) *tokens {
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{algorithm}), jwt.WithStrictDecoding(),
		jwt.WithoutClaimsValidation(), // times are checked at every use, issuer and audience by grantOf
	}
	return &tokens{
		keys: o.Keys, issuer: o.Issuer, audience: o.Audience,
		parser: jwt.NewParser(options...), cache: newGrantCache(o.TokenCache),
	}
}

// buyer returns who sent the token, and whether it may be believed at this moment.
func (t *tokens) buyer(token []byte, now time.Time) (string, bool) {
	if len(token) == 0 || len(token) > maxTokenBytes {
		return "", false
	}
	slot, hash := t.cache.at(token)
	if k := slot.find(token); k != nil {
		return k.buyer, k.valid(now)
	}
	g, ok := t.verify(token)
	if !ok {
		return "", false
	}
	slot.add(token, hash, &g)
	return g.buyer, g.valid(now)
}

// verify checks form, signature and claims, but not the times. Usual tokens take a path without a general decoder;
// anything unusual is golang-jwt's, and the two agree on every token (FuzzToken).
func (t *tokens) verify(token []byte) (grant, bool) {
	header, payload, signature, ok := splitToken(token)
	if !ok {
		return grant{}, false
	}
	if !plainHeader(header) || strictBase64.DecodedLen(len(payload)) > payloadBytes {
		return t.verifyUnusual(token)
	}
	if !t.signed(token[:len(header)+1+len(payload)], signature) {
		return grant{}, false
	}
	var buf [payloadBytes]byte
	n, err := strictBase64.Decode(buf[:], payload)
	if err != nil {
		return grant{}, false
	}
	c, ok := scanClaims(buf[:n])
	if !ok {
		return t.verifyUnusual(token)
	}
	if t.issuer != "" && string(c.issuer.of(buf[:])) != t.issuer ||
		t.audience != "" && string(c.audience.of(buf[:])) != t.audience {
		return grant{}, false
	}
	return newGrant(string(c.subject.of(buf[:])), c.expires*1000, c.begins*1000)
}

func plainHeader(header []byte) bool {
	for _, plain := range plainHeaders {
		if string(header) == plain {
			return true
		}
	}
	return false
}

func newGrant(buyer string, expires, begins int64) (grant, bool) {
	if expires <= 0 || !sale.ValidBuyerID(buyer) {
		return grant{}, false
	}
	return grant{buyer: buyer, expires: expires, begins: begins}, true
}

// signed compares the signature with that of every key.
func (t *tokens) signed(text, signature []byte) bool {
	if strictBase64.DecodedLen(len(signature)) != sha256.Size {
		return false
	}
	for _, key := range t.keys.Keys(algorithm, "") {
		if len(key) >= minSecretBytes && t.signedWith(key, text, signature) {
			return true
		}
	}
	return false
}

func (t *tokens) signedWith(key, text, signature []byte) bool {
	m, _ := t.macs.Get().(*mac) // nil when the pool is empty
	if m == nil || &m.key[0] != &key[0] {
		m = &mac{key: key, hash: hmac.New(sha256.New, key)}
	}
	defer t.macs.Put(m)
	m.hash.Reset()
	_, _ = m.hash.Write(text) // hash.Hash documents that Write never fails
	n, err := strictBase64.Decode(m.sent[:], signature)
	return err == nil && hmac.Equal(m.hash.Sum(m.sum[:0]), m.sent[:n])
}

var errNoKey = errors.New("no key for this token")

// verifyUnusual is the complete check by golang-jwt. A critical header parameter is one we do not understand (RFC 7515,
// 4.1.11).
func (t *tokens) verifyUnusual(token []byte) (grant, bool) {
	members := jwt.MapClaims{}
	_, err := t.parser.ParseWithClaims(string(token), members, func(parsed *jwt.Token) (any, error) {
		keyID, _ := parsed.Header["kid"].(string) // another type is no key id
		set := jwt.VerificationKeySet{}
		for _, key := range t.keys.Keys(algorithm, keyID) {
			if len(key) >= minSecretBytes {
				set.Keys = append(set.Keys, key)
			}
		}
		if _, critical := parsed.Header["crit"]; critical || len(set.Keys) == 0 {
			return nil, errNoKey
		}
		return set, nil
	})
	if err != nil {
		return grant{}, false
	}
	return t.grantOf(members)
}

func (t *tokens) grantOf(members jwt.MapClaims) (grant, bool) {
	subject, subjectErr := members.GetSubject()
	expires, expiresErr := members.GetExpirationTime()
	begins, beginsErr := members.GetNotBefore()
	issuer, issuerErr := members.GetIssuer()
	audience, audienceErr := members.GetAudience()
	if errors.Join(subjectErr, expiresErr, beginsErr, issuerErr, audienceErr) != nil || expires == nil {
		return grant{}, false
	}
	if t.issuer != "" && issuer != t.issuer || t.audience != "" && !slices.Contains(audience, t.audience) {
		return grant{}, false
	}
	var beginsMS int64
	if begins != nil {
		beginsMS = begins.UnixMilli()
	}
	return newGrant(subject, expires.UnixMilli(), beginsMS)
}
