package sim

import (
	"fmt"
	"maps"
	"sync"
	"time"
)

// cache is the Redis of a sale as clients see it: one server at a time, of a pair.
type cache struct {
	place *place

	mu      sync.Mutex
	serving *redisServer
	old     *redisServer // the primary before the last failover, with what it had then
	offset  time.Duration
	replids int
	parted  time.Duration // when the old primary was left
	added   func(string)
	lost    func(after time.Duration)
	hidden  bool
}

func newCache(added func(string), lost func(after time.Duration), hidden bool) *cache {
	c := &cache{place: newPlace("redis"), added: added, lost: lost, hidden: hidden}
	c.serving = c.newServer()
	return c
}

func (c *cache) newServer() *redisServer {
	s := newRedisServer(c.now, c.newReplid())
	s.added, s.hidden = c.added, c.hidden
	return s
}

func (c *cache) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *cache) newReplid() string {
	c.replids++
	return fmt.Sprintf("%040x", c.replids)
}

func (c *cache) active() *redisServer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.serving
}

// step moves the clock of the servers.
func (c *cache) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// restart ends the server and starts it again on what it has on disk: all, or all but the writes of its last moments. It
// reports how many writes are lost.
func (c *cache) restart(lost, down time.Duration) (writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.place.away(down, true)
	next := c.newServer()
	c.serving.mu.Lock()
	defer c.serving.mu.Unlock()
	next.data = c.serving.data.clone()
	if lost > 0 {
		writes = next.data.rewind(virtualNow() - lost)
		c.lost(virtualNow() - lost)
	}
	c.serving = next
	return writes
}

// failover promotes the replica, which lags behind; the old primary keeps what it has.
func (c *cache) failover(lag, down time.Duration) (writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.place.away(down, true)
	next := c.newServer()
	c.serving.mu.Lock()
	defer c.serving.mu.Unlock()
	next.data = c.serving.data.clone()
	writes = next.data.rewind(virtualNow() - lag)
	c.lost(virtualNow() - lag)
	c.parted = virtualNow()
	c.old, c.serving = c.serving, next
	return writes
}

// past is the state in which an old primary serves again.
type past int

const (
	followed     past = iota // it follows the present one and has its data
	promoted                 // it has its data of then, and a new replication id
	neverDemoted             // it has its data of then, and its uptime covers the whole time
)

// failback makes the old primary serve again. It still has the scripts.
func (c *cache) failback(is past, down time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.old == nil {
		return false
	}
	c.place.away(down, true)
	c.old.mu.Lock()
	defer c.old.mu.Unlock()
	c.serving.mu.Lock()
	defer c.serving.mu.Unlock()
	next := c.newServer()
	next.scripts, next.data = maps.Clone(c.old.scripts), c.old.data.clone()
	switch is {
	case followed:
		next.data = c.serving.data.clone()
	case neverDemoted:
		next.replid = c.old.replid
		fallthrough
	case promoted:
		c.lost(c.parted)
	}
	c.parted = virtualNow()
	c.old, c.serving = c.serving, next
	return true
}

func virtualNow() time.Duration { return time.Duration(time.Now().UnixNano()) }
