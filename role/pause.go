package role

import (
	"context"
	"math/bits"
	"math/rand/v2"
	"time"
)

// Pause waits for a while or until ctx ends, and reports whether ctx is still alive afterwards.
func Pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// Waits of Backoff. They are short at first, because most failures are a deadlock or a cut connection, and bounded, so that a
// store is used again soon after it is back.
const (
	backoffFirst   = 20 * time.Millisecond
	backoffLongest = time.Second
)

// Backoff returns the wait after so many failures in a row, from 1: 20 ms at first, doubled with every failure up to 1 s,
// shortened at random by up to a half, so that many workers that failed together do not try again together.
func Backoff(failures int) time.Duration { return backoff(failures, rand.Float64()) }

// backoff shortens the wait by a share, spread, of its half; spread is from 0 to 1.
func backoff(failures int, spread float64) time.Duration {
	wait := backoffLongest
	if failures <= 6 { // backoffFirst<<6 is beyond backoffLongest
		wait = min(backoffFirst<<(failures-1), backoffLongest)
	}
	return wait - time.Duration(spread*float64(wait/2))
}

// Noteworthy reports which failures in a row, from 1, are logged where each attempt tells more than the first: the 1st, 2nd,
// 4th, 8th and so on, so that an outage of an hour does not fill the log.
func Noteworthy(failures int) bool { return bits.OnesCount(uint(failures)) == 1 }

// Linger returns a context that ends so long after ctx: work that has begun may finish, and work that hangs is cut off. With 0
// it ends with ctx. Call end when the work is done.
func Linger(ctx context.Context, linger time.Duration) (work context.Context, end context.CancelFunc) {
	if linger <= 0 {
		return context.WithCancel(ctx)
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(linger, cancel)
		context.AfterFunc(work, func() { timer.Stop() })
	})
	return work, func() {
		release()
		cancel()
	}
}
