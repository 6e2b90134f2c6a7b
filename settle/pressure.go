package settle

import (
	"sync/atomic"
	"time"
)

// pressedFor is how long a full transaction counts as pressure: longer than the time between two transactions while
// records are ready.
const pressedFor = 250 * time.Millisecond

// pressure reports whether more rows are ready than a transaction takes, so that roles that can wait give way.
type pressure struct{ until atomic.Int64 } // Unix nanoseconds

// full records that a transaction left records for the next one.
func (p *pressure) full() { p.until.Store(time.Now().Add(pressedFor).UnixNano()) }

func (p *pressure) high() bool { return time.Now().UnixNano() < p.until.Load() }
