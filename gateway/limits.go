package gateway

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// limits are the token buckets of buyers and addresses. Each costs one atomic load if there is no rule.
type limits struct {
	entries int
	start   time.Time
	buyer   atomic.Pointer[limiter]
	address atomic.Pointer[limiter]
}

// now returns the nanoseconds since the start by the monotonic clock, so that a step of the wall clock does not refuse buyers.
func (l *limits) now() int64 { return int64(time.Since(l.start)) }

// load applies new limits; an unchanged limit keeps its counts.
func (l *limits) load(rules sale.Rules) {
	for _, part := range []struct {
		slot  *atomic.Pointer[limiter]
		limit *sale.Limit
	}{{&l.buyer, rules.Buyer}, {&l.address, rules.Address}} {
		present := part.slot.Load()
		switch {
		case part.limit == nil:
			part.slot.Store(nil)
		case present == nil || present.limit != *part.limit:
			part.slot.Store(newLimiter(*part.limit, l.entries))
		}
	}
}

// takeBuyer takes a token of the buyer, if there is such a limit. It returns 0, or the time to the next token if there is
// none.
func (l *limits) takeBuyer(buyer string) time.Duration {
	limiter := l.buyer.Load()
	if limiter == nil {
		return 0
	}
	return limiter.take(maphash.String(limiter.seed, buyer), l.now())
}

// takeAddress takes a token of the client's address, if there is such a limit. It returns the same as takeBuyer.
func (l *limits) takeAddress(ctx *fasthttp.RequestCtx, trusted []netip.Prefix) time.Duration {
	limiter := l.address.Load()
	if limiter == nil {
		return 0
	}
	var bits [16]byte
	address := subscriber(bits[:0], addressOf(ctx, trusted))
	return limiter.take(maphash.Bytes(limiter.seed, address), l.now())
}

// overAddressLimit takes a token of the address. If there is none, it refuses the request and returns true.
func (g *Gateway) overAddressLimit(ctx *fasthttp.RequestCtx) bool {
	wait := g.limits.takeAddress(ctx, g.options.TrustedProxies)
	if wait > 0 {
		g.refuseLate(ctx, wait)
	}
	return wait > 0
}

// overBuyerLimit takes a token of the buyer. If there is none, it refuses the request and returns true.
func (g *Gateway) overBuyerLimit(ctx *fasthttp.RequestCtx, buyer string) bool {
	wait := g.limits.takeBuyer(buyer)
	if wait > 0 {
		g.refuseLate(ctx, wait)
	}
	return wait > 0
}

// limiter is a token bucket for each of many keys in a table of fixed size. It stores one number a key, the time at which the
// key's bucket will be full (the generic cell rate algorithm, ITU-T I.371). A full bucket equals an absent one, so the limiter
// replaces the key that is full first. That is exact while the set has a full key; otherwise that key gets a fresh burst.
type limiter struct {
	limit    sale.Limit
	interval int64 // nanoseconds a token
	burst    int64 // nanoseconds of a full bucket
	seed     maphash.Seed
	sets     []limitSet
	locks    [limitLocks]limitLock // of the sets, apart from them, so that a set takes two cache lines
}

const limitWays = 8 // keys in a set

// maxBurst is the longest time to fill a bucket, a century in nanoseconds, so that every sum with the present time fits an
// int64. A limit with a longer time refills faster than the rule demands.
const maxBurst = 3e18

const limitLocks = 256

// limitLock fills a cache line, so that two processors with two locks do not share a line.
type limitLock struct {
	sync.Mutex
	_ [56]byte
}

// limitSet is the entries for the keys of one set. Keys are 64-bit keyed hashes, so a buyer cannot choose a collision.
type limitSet struct {
	keys [limitWays]uint64
	full [limitWays]int64 // when the bucket is full, in nanoseconds since the start of the limits
}

func newLimiter(limit sale.Limit, entries int) *limiter {
	sets := 1
	for sets*limitWays < entries {
		sets <<= 1
	}
	interval := max(int64(min(float64(time.Second)/limit.PerSecond, maxBurst/float64(limit.Burst))), 1)
	return &limiter{
		limit: limit, interval: interval, burst: interval * int64(limit.Burst),
		seed: maphash.MakeSeed(), sets: make([]limitSet, sets),
	}
}

// take takes a token of the key; now is in nanoseconds since the start of the limits. It returns 0, or the time to the next
// token if there is none.
func (l *limiter) take(key uint64, now int64) time.Duration {
	index := key & uint64(len(l.sets)-1)
	set, lock := &l.sets[index], &l.locks[index%limitLocks]
	lock.Lock()
	defer lock.Unlock()
	way := set.find(key)
	full := max(set.full[way], now) + l.interval
	if wait := full - now - l.burst; wait > 0 {
		return time.Duration(wait)
	}
	set.full[way] = full
	return 0
}

// find returns the way of the key. A new key takes the way that is full first.
func (s *limitSet) find(key uint64) int {
	first := 0
	for way := range s.keys {
		if s.keys[way] == key {
			return way
		}
		if s.full[way] < s.full[first] {
			first = way
		}
	}
	s.keys[first], s.full[first] = key, 0
	return first
}
