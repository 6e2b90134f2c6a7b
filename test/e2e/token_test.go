package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// Tokens are signed here with nothing but the standard library, so that the engine's reading of them is not tested with
// its own writing.

// token returns a valid token of a buyer.
func token(buyer string) string {
	return sign(secret, `{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(`{"sub":%q,"exp":%d}`, buyer, time.Now().Add(time.Hour).Unix()))
}

// claimsToken returns a token with the claims given.
func claimsToken(claims object) string {
	encoded, err := json.Marshal(claims)
	if err != nil {
		panic(err) // the claims are literals of tests
	}
	return sign(secret, `{"alg":"HS256","typ":"JWT"}`, string(encoded))
}

func sign(key, header, claims string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func unix(after time.Duration) int64 { return time.Now().Add(after).Unix() }
