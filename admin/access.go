package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// secretToken is a token that opens routes, as its SHA-256 sum. Sums are compared in constant time, so that neither a
// token's length nor a common prefix shows in the time that a refusal takes.
type secretToken struct {
	sum   [sha256.Size]byte
	given int // 0: there is none, and no token is like it
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
		operators, shops := a.admin.sent(r), a.shop.sent(r) // both, whatever the first says
		return operators || shops
	}
	return a.admin.sent(r)
}

// bearer returns the token of the one Authorization header; two headers are none.
func bearer(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return strings.TrimLeft(token, " "), ok && strings.EqualFold(scheme, "Bearer")
}
