package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"flashsale/sale"
)

// SessionLength is how long a session lasts.
const SessionLength = 12 * time.Hour

// maxCookieBytes bounds what is verified of a cookie.
const maxCookieBytes = 512

// Session is a browser that has signed in. Cookie is its value, CSRF the text that its writes repeat in a header.
type Session struct {
	Actor   sale.Actor
	Cookie  string
	CSRF    string
	Expires time.Time
}

// Begin returns a new session of a token's bearer, and false for an unknown token. The cookie has the form
// name.expiry.nonce.signature; its key is derived from the token, so a changed token ends its sessions, and every process
// that has the token knows them.
func (t *Tokens) Begin(secret string, now time.Time) (Session, bool) {
	known := t.find(secret)
	if known == nil {
		return Session{}, false
	}
	return known.session(strconv.FormatInt(now.Add(SessionLength).Unix(), 10), rand.Text()), true
}

// Resume returns the session of a cookie. If the session is over or the cookie is not the engine's, ok is false and claimed is
// the name of a token that the cookie claims, for the bound on guesses.
func (t *Tokens) Resume(cookie string, now time.Time) (s Session, claimed string, ok bool) {
	parts := strings.Split(cookie, ".")
	if len(cookie) > maxCookieBytes || len(parts) != 4 {
		return Session{}, "", false
	}
	name, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return Session{}, "", false
	}
	known := t.named(string(name))
	if known == nil {
		return Session{}, "", false
	}
	s = known.session(parts[1], parts[2])
	right := subtle.ConstantTimeCompare([]byte(s.Cookie), []byte(cookie)) == 1
	if !right || !now.Before(s.Expires) {
		return Session{}, string(name), false
	}
	return s, string(name), true
}

// Writes reports whether a header is the one that a write of the session needs.
func (s *Session) Writes(header string) bool {
	return subtle.ConstantTimeCompare([]byte(s.CSRF), []byte(header)) == 1
}

// session makes the session of an expiry and a nonce. A text that is no number has expired.
func (k *knownToken) session(expiry, nonce string) Session {
	seconds, _ := strconv.ParseInt(expiry, 10, 64)
	body := base64.RawURLEncoding.EncodeToString([]byte(k.name)) + "." + expiry + "." + nonce
	return Session{
		Actor: sale.Actor{Who: k.name, Role: k.role}, Cookie: body + "." + k.sign("cookie "+body), CSRF: k.sign("csrf " + body),
		Expires: time.Unix(seconds, 0),
	}
}

func (k *knownToken) sign(text string) string {
	mac := hmac.New(sha256.New, k.key)
	mac.Write([]byte(text)) // hash.Hash documents that Write never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
