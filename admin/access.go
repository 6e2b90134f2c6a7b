package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// secretToken is a token that opens routes, stored as its SHA-256 sum. Sums are compared in constant time, so the time
// of a refusal reveals neither the token's length nor a common prefix.
type secretToken struct {
	sum   [sha256.Size]byte
	given int // 0 when no token is configured: then no token matches
}

func newSecretToken(token string) secretToken {
	s := secretToken{sum: sha256.Sum256([]byte(token))}
	if token != "" {
		s.given = 1
	}
	return s
}

// sent reports whether the request carries the token.
func (s *secretToken) sent(r *http.Request) bool {
	token, ok := bearer(r)
	sum := sha256.Sum256([]byte(token))
	return ok && subtle.ConstantTimeCompare(sum[:], s.sum[:])&s.given == 1
}

// allowed reports whether the request's token opens the route.
func (a *API) allowed(need access, r *http.Request) bool {
	switch need {
	case public:
		return true
	case shop:
		operators, shops := a.admin.sent(r), a.shop.sent(r) // always compare both, so that the time is the same
		return operators || shops
	}
	return a.admin.sent(r)
}

// bearer returns the token of the only Authorization header. A request with two such headers has no token.
func bearer(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return strings.TrimLeft(token, " "), ok && strings.EqualFold(scheme, "Bearer")
}
