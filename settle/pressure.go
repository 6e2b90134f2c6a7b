package settle

import (
	"sync/atomic"
	"time"
)

// pressedFor is how long a full transaction counts as pressure: longer than the time between two transactions while records
// wait.
const pressedFor = 250 * time.Millisecond

// pressure knows whether more rows wait than a transaction takes, so that roles which can wait give way.
type pressure struct{ until atomic.Int64 } // Unix nanoseconds

// full notes that records were left for the next transaction.
func (p *pressure) full() { p.until.Store(time.Now().Add(pressedFor).UnixNano()) }

func (p *pressure) high() bool { return time.Now().UnixNano() < p.until.Load() }
