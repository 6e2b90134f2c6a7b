package buyers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

// Token returns a valid token of a buyer that expires after lasts.
func Token(secret, buyer string, lasts time.Duration) string {
	return Sign(secret, `{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(`{"sub":%q,"exp":%d}`, buyer, time.Now().Add(lasts).Unix()))
}

// Sign returns a JSON Web Token of a header and claims, signed with HMAC-SHA256 whatever the header says.
func Sign(secret, header, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(header)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text)) // a hash never fails
	return text + "." + encode(mac.Sum(nil))
}
