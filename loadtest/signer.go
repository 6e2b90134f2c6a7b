package loadtest

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"flashsale/sale"
)

// MinSecretBytes is the shortest HS256 secret that a gateway accepts.
const MinSecretBytes = 32

// keyID is the `kid` of test tokens. A gateway with one secret accepts any; the tokens of most identity providers have
// one, so the measured tokens have one too.
const keyID = "load"

// Signer makes test tokens with the gateway's secret.
type Signer struct {
	secret   []byte
	issuer   string
	audience jwt.ClaimStrings
}

// NewSigner returns a signer for an HS256 secret; issuer and audience are left out of the tokens when empty.
func NewSigner(secret []byte, issuer, audience string) (*Signer, error) {
	if len(secret) < MinSecretBytes {
		return nil, fmt.Errorf("an HS256 secret has at least %d bytes, this one has %d", MinSecretBytes, len(secret))
	}
	s := &Signer{secret: secret, issuer: issuer}
	if audience != "" {
		s.audience = jwt.ClaimStrings{audience}
	}
	return s, nil
}

// Token signs a token for one buyer that expires ttl after now.
func (s *Signer) Token(buyer string, ttl time.Duration, now time.Time) (string, error) {
	switch {
	case !sale.ValidBuyerID(buyer):
		return "", fmt.Errorf("buyer %.70q: a buyer id is 1–64 characters of A-Za-z0-9._:@|+-", buyer)
	case ttl < time.Second:
		return "", fmt.Errorf("a token's lifetime is at least 1s, not %s", ttl)
	}
	claims := jwt.RegisteredClaims{
		Subject:   buyer,
		Issuer:    s.issuer,
		Audience:  s.audience,
		ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodHS256, claims) // sets alg and typ
	unsigned.Header["kid"] = keyID
	token, err := unsigned.SignedString(s.secret)
	if err != nil {
		return "", fmt.Errorf("sign token of buyer %s: %w", buyer, err)
	}
	return token, nil
}
