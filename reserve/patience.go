package reserve

import (
	"sync/atomic"
	"time"
)

// patience bounds how long batches of one partition wait for Kafka. After patienceTimeouts timeouts in a row it is
// shortPatience, until Kafka acknowledges a record again.
type patience struct{ timeouts atomic.Int32 }

func (p *patience) limit(full time.Duration) time.Duration {
	if p.timeouts.Load() >= patienceTimeouts {
		return min(full, shortPatience)
	}
	return full
}

func (p *patience) timedOut() { p.timeouts.Add(1) }
func (p *patience) acked()    { p.timeouts.Store(0) }
