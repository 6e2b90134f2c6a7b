package gateway

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"flashsale/sale"
)

// KeySource returns the keys of tokens.
type KeySource interface {
	// Keys returns the keys that may have signed a token with this algorithm and key id, the most likely first. An empty key
	// id asks for all keys of the algorithm. The gateway asks for HS256 only, and does not use a key shorter than 32 bytes.
	// Keys must not change a returned key later, and must not keep keyID.
	Keys(algorithm string, keyID []byte) [][]byte
}

// Bounds of tokens.
const (
	algorithm      = "HS256"
	leeway         = 5 * time.Second // for clocks that differ
	lastSecond     = 253402300799    // 9999-12-31T23:59:59Z: a larger number is in milliseconds or a mistake
	maxTokenBytes  = 4096
	minSecretBytes = 32
)

// secrets is the KeySource of the settings: the current secret and perhaps the previous one.
type secrets [][]byte

// NewSecrets returns the keys of HS256: the current secret and, unless empty, the previous one. A secret must have 32 bytes
// or more.
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

// Keys returns both secrets for HS256 and any key id, and none for another algorithm.
func (s secrets) Keys(alg string, _ []byte) [][]byte {
	if alg != algorithm {
		return nil
	}
	return s
}

// grant is the time in which a verified token is valid; the gateway checks it at every use.
type grant struct {
	expires int64 // Unix milliseconds
	begins  int64 // Unix milliseconds, 0 = at once
}

// fault returns why the token is not valid now: now must be within the grant and the end at most lifetime ahead, both with
// leeway.
func (g *grant) fault(now time.Time, lifetime time.Duration) tokenFault {
	ms := now.UnixMilli()
	switch {
	case ms >= g.expires+leeway.Milliseconds():
		return tokenExpired
	case ms < g.begins-leeway.Milliseconds():
		return tokenNotYetValid
	case g.expires > ms+(lifetime+leeway).Milliseconds():
		return tokenLifetime
	}
	return 0
}

// buyerID is a buyer id as a value, so that the refusal of a buyer does not allocate. The zero value means no buyer.
type buyerID struct {
	bytes [sale.MaxIDBytes]byte
	size  int
	kept  string // the id as a string if there is one, else empty
}

func (b *buyerID) text() []byte { return b.bytes[:b.size] }

func (b *buyerID) String() string {
	if b.kept != "" {
		return b.kept
	}
	return string(b.text())
}

// set copies an id and reports whether it is valid.
func (b *buyerID) set(id []byte) bool {
	if !sale.ValidBuyerID(id) {
		return false
	}
	b.size = copy(b.bytes[:], id)
	return true
}

// tokens verifies tokens and remembers the verified ones.
type tokens struct {
	keys      KeySource
	issuer    string
	audience  string
	lifetime  time.Duration // longest time from now to `exp`
	parser    *jwt.Parser
	cache     grantCache
	verifiers sync.Pool // of *verifier
}

func newTokens(o Options) *tokens {
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{algorithm}), jwt.WithStrictDecoding(),
		jwt.WithoutClaimsValidation(), // prove checks times at every use, grantOf issuer and audience
	}
	return &tokens{
		keys: o.Keys, issuer: o.Issuer, audience: o.Audience, lifetime: o.MaxLifetime,
		parser: jwt.NewParser(options...), cache: newGrantCache(o.TokenCache),
	}
}

// buyer returns the buyer of a token, or why the token is not valid now.
func (t *tokens) buyer(token []byte, now time.Time) (string, tokenFault) {
	var who buyerID
	if fault := t.prove(token, now, &who); fault != 0 {
		return "", fault
	}
	return who.String(), 0
}

// prove sets who to the buyer of a token if the token is valid now. Otherwise it returns why not, and who stays zero.
func (t *tokens) prove(token []byte, now time.Time, who *buyerID) tokenFault {
	switch {
	case len(token) == 0:
		return tokenMissing
	case len(token) > maxTokenBytes:
		return tokenMalformed
	}
	slot, hash := t.cache.at(token)
	k := slot.find(token)
	if k != nil {
		if fault := k.fault(now, t.lifetime); fault != 0 {
			return fault
		}
		who.size, who.kept = copy(who.bytes[:], k.buyer), k.buyer
		return 0
	}
	g, fault := t.verify(token, who)
	if fault == 0 {
		slot.add(token, hash, g, who)
		fault = g.fault(now, t.lifetime)
	}
	if fault != 0 {
		*who = buyerID{}
	}
	return fault
}

// verify checks form, signature and claims, but not the times. It reads the header, then checks the signature over the raw
// bytes, and decodes the rest only after that: a client without a key makes the gateway hash, and no more. It reads usual
// tokens without a general decoder and leaves unusual signed ones to golang-jwt; both agree on every token (FuzzToken).
func (t *tokens) verify(token []byte, who *buyerID) (grant, tokenFault) {
	header, payload, signature, ok := splitToken(token)
	if !ok {
		return grant{}, tokenMalformed
	}
	v, _ := t.verifiers.Get().(*verifier) // nil if the pool is empty
	if v == nil {
		v = new(verifier)
	}
	defer t.verifiers.Put(v)
	keyID, usual, fault := v.readHeader(header)
	switch {
	case fault != 0:
		return grant{}, fault
	case !v.signed(t.keys.Keys(algorithm, keyID), token[:len(header)+1+len(payload)], signature):
		return grant{}, tokenSignature
	case !usual || strictBase64.DecodedLen(len(payload)) > payloadBytes:
		return t.verifyUnusual(token, who)
	}
	n, err := strictBase64.Decode(v.payload[:], payload)
	if err != nil {
		return grant{}, tokenMalformed
	}
	c, ok := scanClaims(v.payload[:n])
	switch {
	case !ok:
		return t.verifyUnusual(token, who)
	case t.issuer != "" && string(c.issuer.of(v.payload[:])) != t.issuer:
		return grant{}, tokenIssuer
	case t.audience != "" && string(c.audience.of(v.payload[:])) != t.audience:
		return grant{}, tokenAudience
	}
	g, ok := newGrant(c.expires, c.begins)
	return grantFor(g, ok, who, c.subject.of(v.payload[:]))
}

// grantFor returns a grant whose times are valid if ok, once who is set to its subject.
func grantFor(g grant, ok bool, who *buyerID, subject []byte) (grant, tokenFault) {
	switch {
	case !ok:
		return grant{}, tokenMalformed
	case !who.set(subject):
		return grant{}, tokenSubject
	}
	return g, 0
}

// newGrant returns the grant of two times in Unix seconds. It refuses times after the year 9999, so that no sum overflows.
func newGrant(expires, begins int64) (grant, bool) {
	if expires <= 0 || expires > lastSecond || begins < 0 || begins > lastSecond {
		return grant{}, false
	}
	return grant{expires: expires * 1000, begins: begins * 1000}, true
}

var (
	errNoKey    = errors.New("no key for this token")
	errCritical = errors.New("a critical header parameter")
)

// verifyUnusual checks a token with golang-jwt. It refuses a token with a critical header parameter, because the gateway
// implements none (RFC 7515, 4.1.11).
func (t *tokens) verifyUnusual(token []byte, who *buyerID) (grant, tokenFault) {
	members := jwt.MapClaims{}
	_, err := t.parser.ParseWithClaims(string(token), members, func(parsed *jwt.Token) (any, error) {
		keyID, _ := parsed.Header["kid"].(string) // empty for another type
		set := jwt.VerificationKeySet{}
		for _, key := range t.keys.Keys(algorithm, []byte(keyID)) {
			if len(key) >= minSecretBytes {
				set.Keys = append(set.Keys, key)
			}
		}
		if _, critical := parsed.Header["crit"]; critical {
			return nil, errCritical
		}
		if len(set.Keys) == 0 {
			return nil, errNoKey
		}
		return set, nil
	})
	switch {
	case errors.Is(err, errCritical), errors.Is(err, jwt.ErrTokenMalformed):
		return grant{}, tokenMalformed
	case err != nil: // verify has found the signature good, or has not read the header
		return grant{}, tokenSignature
	}
	return t.grantOf(members, who)
}

func (t *tokens) grantOf(members jwt.MapClaims, who *buyerID) (grant, tokenFault) {
	subject, subjectErr := members.GetSubject()
	expires, expiresErr := members.GetExpirationTime()
	begins, beginsErr := members.GetNotBefore()
	issuer, issuerErr := members.GetIssuer()
	audience, audienceErr := members.GetAudience()
	switch {
	case errors.Join(subjectErr, expiresErr, beginsErr, issuerErr, audienceErr) != nil || expires == nil:
		return grant{}, tokenMalformed
	case t.issuer != "" && issuer != t.issuer:
		return grant{}, tokenIssuer
	case t.audience != "" && !slices.Contains(audience, t.audience):
		return grant{}, tokenAudience
	}
	var from int64
	if begins != nil {
		from = begins.Unix()
	}
	for _, name := range [...]string{"exp", "nbf"} { // as floats, because some do not fit an integer
		if seconds, _ := members[name].(float64); seconds < 0 || seconds > lastSecond {
			return grant{}, tokenMalformed
		}
	}
	g, ok := newGrant(expires.Unix(), from)
	return grantFor(g, ok, who, []byte(subject))
}
