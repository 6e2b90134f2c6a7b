package settle

import (
	"context"
	"math/bits"
	"math/rand/v2"
	"time"
)

// Waits between attempts: short at first, because most faults are a deadlock or a cut connection, and never so long
// that a database which is back stays unused.
const (
	firstWait   = 20 * time.Millisecond
	longestWait = 1 * time.Second
)

// waitBefore returns the wait before attempt try+1 (try counts from 0): doubled with every try up to longestWait, of
// which spread, 0 to 1, takes away up to a half so that partitions do not come back in step.
func waitBefore(try int, spread float64) time.Duration {
	wait := longestWait
	if try < 6 { // firstWait<<6 is beyond longestWait
		wait = min(firstWait<<try, longestWait)
	}
	return wait - time.Duration(spread*float64(wait/2))
}

// pause waits before another attempt and reports whether ctx is still alive afterwards.
func pause(ctx context.Context, try int) bool { return sleep(ctx, waitBefore(try, rand.Float64())) }

// sleep waits and reports whether ctx is still alive afterwards.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// noteworthy says which attempts are logged: the 1st, 2nd, 4th, 8th … that fails, so that an outage of an hour does not
// fill the log.
func noteworthy(try int) bool { return bits.OnesCount(uint(try+1)) == 1 }

// lingering returns a context that outlives ctx by linger: work that has begun may end, work that hangs is cut off.
func lingering(ctx context.Context, linger time.Duration) (context.Context, context.CancelFunc) {
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
