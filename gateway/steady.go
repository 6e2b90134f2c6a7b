package gateway

import "time"

// steadyClock is Sentinel's clock: the wall clock at the start plus the monotonic time since then. A step of the wall clock
// does not shift a rule's window, and a call costs half as much as the wall clock.
type steadyClock struct {
	began time.Time
	nanos int64 // of began, Unix
}

func newSteadyClock() steadyClock {
	now := time.Now()
	return steadyClock{began: now, nanos: now.UnixNano()}
}

// Now implements Sentinel's clock.
func (c steadyClock) Now() time.Time { return c.began.Add(time.Since(c.began)) }

// Sleep implements Sentinel's clock.
func (c steadyClock) Sleep(d time.Duration) { time.Sleep(d) }

// CurrentTimeMillis returns Unix milliseconds.
func (c steadyClock) CurrentTimeMillis() uint64 {
	return c.CurrentTimeNano() / uint64(time.Millisecond)
}

// CurrentTimeNano returns Unix nanoseconds.
func (c steadyClock) CurrentTimeNano() uint64 { return uint64(c.nanos + int64(time.Since(c.began))) }
