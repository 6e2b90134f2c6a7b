package scripts

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// Clock returns Redis's time without asking Redis: this process's monotonic clock plus an offset that it learns from replies.
//
// Redis read its clock at some moment between sending and receiving, so the shorter that interval is, the better is the offset.
// A sample replaces the present one when its interval is shorter, when the present one is older than 2 s (clocks drift), or
// when both cannot be right, which means that Redis's clock was set.
type Clock struct {
	mu       sync.Mutex
	known    bool
	offset   time.Duration // Redis's Unix time minus the monotonic reading
	spread   time.Duration // half of the time between sending and receiving
	learned  time.Duration // monotonic reading at the sample
	started  time.Time
	fallback *Clock // asked while nothing is known; nil for none
}

// Bounds of a sample. A script returns whole milliseconds, and two clocks drift apart by at most 1 in 1000.
const (
	clockPrecision = 2 * time.Millisecond
	clockStale     = 2 * time.Second
	clockDrift     = 1000
)

// NewClock returns a clock without a sample. While it has none, Now returns the time of fallback, which may be nil.
func NewClock(fallback *Clock) *Clock { return &Clock{started: time.Now(), fallback: fallback} }

// Reading is the monotonic time to pass to Learn.
func (c *Clock) Reading() time.Duration { return time.Since(c.started) }

// Learn takes a sample: Redis's clock showed unix at some moment from sent to received, which are Readings.
func (c *Clock) Learn(sent, received time.Duration, unix time.Duration) {
	offset, spread := unix-(sent+received)/2, (received-sent)/2
	c.mu.Lock()
	defer c.mu.Unlock()
	age := received - c.learned
	apart := (offset - c.offset).Abs()
	stepped := apart > spread+c.spread+clockPrecision+age/clockDrift
	if !c.known || stepped || spread <= c.spread || age > clockStale {
		c.known, c.offset, c.spread, c.learned = true, offset, spread, received
	}
}

// Now returns Redis's time and whether any sample was taken. Without a sample it returns the zero time, because this machine's
// clock may differ by hours.
func (c *Clock) Now() (time.Time, bool) {
	c.mu.Lock()
	known, offset := c.known, c.offset
	c.mu.Unlock()
	switch {
	case known:
		return time.UnixMicro((offset + c.Reading()).Microseconds()).UTC(), true
	case c.fallback != nil:
		return c.fallback.Now()
	}
	return time.Time{}, false
}

// Time returns Redis's time, and asks Redis for it while no sample was taken. Its error wraps ErrNotSent.
func (c *Clock) Time(ctx context.Context, r *Redis) (time.Time, error) {
	now, known := c.Now()
	if known {
		return now, nil
	}
	if err := c.Poll(ctx, r); err != nil {
		return time.Time{}, fmt.Errorf("%w: redis's clock is not known: %w", ErrNotSent, err)
	}
	now, _ = c.Now()
	return now, nil
}

// Ahead returns how far this machine's wall clock is ahead of Redis's, negative when it is behind, and whether a sample was
// taken.
func (c *Clock) Ahead() (time.Duration, bool) {
	now, known := c.Now()
	return time.Now().Round(0).Sub(now), known
}

// Poll asks Redis for its time once and learns from the reply.
func (c *Clock) Poll(ctx context.Context, r *Redis) error {
	sent := c.Reading()
	values, err := r.do(ctx, func(cl rueidis.Client) rueidis.Completed { return cl.B().Time().Build() }).AsIntSlice()
	if err != nil {
		return err
	}
	if len(values) == 2 {
		c.Learn(sent, c.Reading(), time.Duration(values[0])*time.Second+time.Duration(values[1])*time.Microsecond)
	}
	return nil
}
