package access

import (
	"crypto/rand"
	"sync"
	"time"
)

// OnceLength is how long a one-time token is good.
const OnceLength = 10 * time.Minute

// maxOnce bounds the one-time tokens that wait.
const maxOnce = 100

// Once makes tokens that sign in once, each for another token.
type Once struct {
	mu      sync.Mutex
	waiting map[string]pendingSignIn
}

type pendingSignIn struct {
	secret string
	until  time.Time
}

// Make returns a one-time token for a secret. When too many wait, the oldest ends.
func (o *Once) Make(secret string, now time.Time) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting = map[string]pendingSignIn{}
	}
	if len(o.waiting) >= maxOnce {
		oldest := ""
		for token, p := range o.waiting {
			if oldest == "" || p.until.Before(o.waiting[oldest].until) {
				oldest = token
			}
		}
		delete(o.waiting, oldest)
	}
	token := rand.Text()
	o.waiting[token] = pendingSignIn{secret, now.Add(OnceLength)}
	return token
}

// Take returns the secret of a one-time token and ends the token. A token that was used, has ended or never was is not ok.
func (o *Once) Take(token string, now time.Time) (secret string, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, ok := o.waiting[token]
	delete(o.waiting, token)
	return p.secret, ok && now.Before(p.until)
}
