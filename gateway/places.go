package gateway

import (
	"hash/maphash"
	"sync"
)

// placesPerBuyer is how many reads, waits and cancellations one buyer may have under way in a gateway. One more is
// answered rate_limited: an app has no use for it, and each may hold a look-up's place or wait for 30 s.
const placesPerBuyer = 4

const placeShards = 64

// places counts what every buyer has under way. A buyer with nothing under way takes no memory, so that the bounds on
// reads and waiters bound this table too.
type places struct {
	seed   maphash.Seed
	shards [placeShards]placeShard
}

// placeShard holds the buyers of one part of the keys, which are keyed hashes: buyers cannot choose to collide.
type placeShard struct {
	sync.Mutex
	taken map[uint64]uint8
}

func newPlaces() *places {
	p := &places{seed: maphash.MakeSeed()}
	for i := range p.shards {
		p.shards[i].taken = map[uint64]uint8{}
	}
	return p
}

// enter takes a place of the buyer, if one is free. Where ok, leave must be called once with the key.
func (p *places) enter(buyer string) (key uint64, ok bool) {
	key = maphash.String(p.seed, buyer)
	shard := &p.shards[key%placeShards]
	shard.Lock()
	defer shard.Unlock()
	taken := shard.taken[key]
	if taken == placesPerBuyer {
		return key, false
	}
	shard.taken[key] = taken + 1
	return key, true
}

func (p *places) leave(key uint64) {
	shard := &p.shards[key%placeShards]
	shard.Lock()
	defer shard.Unlock()
	if taken := shard.taken[key]; taken > 1 {
		shard.taken[key] = taken - 1
		return
	}
	delete(shard.taken, key)
}
