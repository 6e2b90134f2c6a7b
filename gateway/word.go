package gateway

import (
	"context"
	"fmt"
	"time"
)

// word tells others which version of the catalogue this gateway sells by: when it has another one, so that who has changed a
// sale can wait for it, and now and then, so that they know that it lives.
type word struct {
	note    func(ctx context.Context, version int64) error
	timeout time.Duration
	version int64
	next    time.Time // when the same version is told again
}

// Periods of the word. wordEvery must stay well below the time after which a silent gateway is not waited for.
const (
	wordEvery = 10 * time.Second
	wordRetry = time.Second // after a failure, so that a database that cannot be written is still read in time
)

// leave leaves word of a version, unless that was done a short while ago.
func (w *word) leave(ctx context.Context, version int64) error {
	now := time.Now()
	if w.note == nil || version == w.version && now.Before(w.next) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	w.version, w.next = version, now.Add(wordEvery)
	if err := w.note(ctx, version); err != nil {
		w.next = now.Add(wordRetry)
		return fmt.Errorf("leave word of version %d of the catalogue: %w", version, err)
	}
	return nil
}
