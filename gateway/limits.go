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

// limits are the token buckets of buyers and addresses. Without a rule they cost one atomic load each.
type limits struct {
	entries int
	start   time.Time
	buyer   atomic.Pointer[limiter]
	address atomic.Pointer[limiter]
}

// now is the moment in nanoseconds since the start, by the monotonic clock: a step of the wall clock refuses no buyer.
func (l *limits) now() int64 { return int64(time.Since(l.start)) }

// load puts new limits to work; an unchanged one keeps its counts.
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

// takeBuyer takes a token of the buyer, where there is such a limit. It returns 0, or how long the next token takes.
func (l *limits) takeBuyer(buyer string) time.Duration {
	limiter := l.buyer.Load()
	if limiter == nil {
		return 0
	}
	return limiter.take(maphash.String(limiter.seed, buyer), l.now())
}

// takeAddress takes a token of the address that sends the request, where there is such a limit. It returns as takeBuyer.
func (l *limits) takeAddress(ctx *fasthttp.RequestCtx, trusted []netip.Prefix) time.Duration {
	limiter := l.address.Load()
	if limiter == nil {
		return 0
	}
	var bits [16]byte
	address := subscriber(bits[:0], addressOf(ctx, trusted))
	return limiter.take(maphash.Bytes(limiter.seed, address), l.now())
}

// overAddressLimit takes a token of the address. Where there is none it refuses the request, and reports so.
func (g *Gateway) overAddressLimit(ctx *fasthttp.RequestCtx) bool {
	wait := g.limits.takeAddress(ctx, g.options.TrustedProxies)
	if wait > 0 {
		g.refuseLate(ctx, wait)
	}
	return wait > 0
}

// overBuyerLimit does so with a token of the buyer.
func (g *Gateway) overBuyerLimit(ctx *fasthttp.RequestCtx, buyer string) bool {
	wait := g.limits.takeBuyer(buyer)
	if wait > 0 {
		g.refuseLate(ctx, wait)
	}
	return wait > 0
}

// limiter is a token bucket for each of very many keys in a table of fixed size. It keeps one number a key, the moment
// at which the key's bucket will be full again (the generic cell rate algorithm, ITU-T I.371): a bucket that is full is
// the same as one that is absent, so forgetting the key that will be full first is harmless as long as there is room, and
// beyond that gives the longest idle key a fresh burst.
type limiter struct {
	limit    sale.Limit
	interval int64 // nanoseconds a token
	burst    int64 // nanoseconds of a full bucket
	seed     maphash.Seed
	sets     []limitSet
	locks    [limitLocks]limitLock // of the sets, apart from them: a set is two lines of the processor's cache then
}

const limitWays = 8 // keys in a set

// maxBurst is the longest time to fill a bucket, a century in nanoseconds: every sum with the present time stays inside
// an int64. A limit that asks for more refills faster than it says.
const maxBurst = 3e18

const limitLocks = 256

// limitLock fills a cache line, so that two processors take two locks without waiting for each other.
type limitLock struct {
	sync.Mutex
	_ [56]byte
}

// limitSet is where a key may live. Keys are 64-bit keyed hashes: buyers cannot choose to collide.
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

// take takes a token of the key at a moment in nanoseconds since the start of the limits. It returns 0, or where there is no
// token, how long the next one takes.
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

// find returns the way of the key, taking over the one that is full first when the key is new.
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
