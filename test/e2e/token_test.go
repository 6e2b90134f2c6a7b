package e2e

import (
	"encoding/json"
	"time"

	"flashsale/test/buyers"
)

// token returns a valid token of a buyer.
func token(buyer string) string {
	return buyers.Token(secret, buyer, time.Hour)
}

// claimsToken returns a token with the claims given.
func claimsToken(claims object) string {
	encoded, err := json.Marshal(claims)
	if err != nil {
		panic(err) // the claims are literals of tests
	}
	return buyers.Sign(secret, `{"alg":"HS256","typ":"JWT"}`, string(encoded))
}

func unix(after time.Duration) int64 { return time.Now().Add(after).Unix() }
