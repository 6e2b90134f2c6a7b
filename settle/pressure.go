package settle

import (
	"sync/atomic"
	"time"
)

// pressedFor is how long a full transaction counts: more than what lies between two of them while records wait.
const pressedFor = 250 * time.Millisecond

// pressure knows whether more rows wait than a transaction takes, so that roles which can wait give way.
type pressure struct{ until atomic.Int64 } // Unix nanoseconds

// full notes that records were left for the next transaction.
func (p *pressure) full() { p.until.Store(time.Now().Add(pressedFor).UnixNano()) }

func (p *pressure) high() bool { return time.Now().UnixNano() < p.until.Load() }
