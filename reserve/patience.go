package reserve

import (
	"sync/atomic"
	"time"
)

// patience is how long batches of one partition wait for Kafka: once it is known to be away, hardly at all.
type patience struct{ timeouts atomic.Int32 }

func (p *patience) limit(full time.Duration) time.Duration {
	if p.timeouts.Load() >= patienceTimeouts {
		return min(full, shortPatience)
	}
	return full
}

func (p *patience) timedOut() { p.timeouts.Add(1) }
func (p *patience) acked()    { p.timeouts.Store(0) }

// unackedBytes bounds the records that are kept for Kafka.
type unackedBytes struct{ bytes atomic.Int64 }

func (u *unackedBytes) reserve(n int) bool {
	if u.bytes.Add(int64(n)) > maxUnackedBytes {
		u.bytes.Add(int64(-n))
		return false
	}
	return true
}

func (u *unackedBytes) release(n int) { u.bytes.Add(int64(-n)) }
