package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// allowed reports whether the request's token opens the route. Tokens are compared as SHA-256 sums in constant time, so
// that neither their length nor a common prefix shows in the time that a refusal takes.
func (a *API) allowed(need access, r *http.Request) bool {
	if need == public {
		return true
	}
	token, ok := bearer(r)
	if !ok {
		return false
	}
	sum := sha256.Sum256([]byte(token))
	isAdmin := subtle.ConstantTimeCompare(sum[:], a.admin[:]) & present(a.opts.AdminToken)
	isShop := subtle.ConstantTimeCompare(sum[:], a.shop[:]) & present(a.opts.ShopToken)
	if need == shop {
		return isAdmin|isShop == 1
	}
	return isAdmin == 1
}

func present(token string) int {
	if token == "" {
		return 0
	}
	return 1
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
