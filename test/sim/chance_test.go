package sim

import (
	"hash/fnv"
	"sync"
	"time"
)

// chance is a stream of draws that a seed and a name determine (SplitMix64). Each thing that draws has a stream of its own,
// so that one more draw in one place does not change every other place.
type chance struct {
	mu    sync.Mutex
	state uint64
}

func newChance(seed uint64, name string) *chance {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	c := &chance{state: seed*0x9e3779b97f4a7c15 ^ h.Sum64()}
	c.next()
	return c
}

func (c *chance) next() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state += 0x9e3779b97f4a7c15
	z := c.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// below draws a number from 0 to n-1.
func (c *chance) below(n int) int { return int(c.next() % uint64(n)) }

// between draws a number from low to high, both included.
func (c *chance) between(low, high int) int { return low + c.below(high-low+1) }

// one is true once in n draws; never when n is 0.
func (c *chance) one(n int) bool { return n > 0 && c.below(n) == 0 }

// span draws a duration from low to below high, in nanoseconds.
func (c *chance) span(low, high time.Duration) time.Duration {
	return low + time.Duration(c.next()%uint64(high-low))
}

func pick[T any](c *chance, of ...T) T { return of[c.below(len(of))] }
