package gateway

import (
	"hash/maphash"
	"slices"
	"sync"
)

// placesPerBuyer is how many reads, waits and cancellations one buyer may have under way in a gateway. One more takes the
// place of the one that waits longest, which is answered at once: its client may be gone, which nobody sees before the answer
// is written. Where none waits, one more is answered rate_limited: an app has no use for it, and each holds a look-up's place.
const placesPerBuyer = 4

const placeShards = 64

// places holds what every buyer has under way. A buyer with nothing under way takes no memory, so that the bounds on
// reads and waiters bound this table too.
type places struct {
	seed   maphash.Seed
	shards [placeShards]placeShard
}

// placeShard holds the buyers of one part of the keys, which are keyed hashes: buyers cannot choose to collide.
type placeShard struct {
	sync.Mutex
	taken map[uint64][]*place // of each buyer at most placesPerBuyer, in the order in which they came
}

// place is one request of a buyer that is under way.
type place struct {
	key   uint64
	woken chan struct{} // nil before the request waits; closed when a newer one takes its place
}

func newPlaces() *places {
	p := &places{seed: maphash.MakeSeed()}
	for i := range p.shards {
		p.shards[i].taken = map[uint64][]*place{}
	}
	return p
}

func (p *places) shard(key uint64) *placeShard { return &p.shards[key%placeShards] }

// enter takes a place of the buyer, a free one or that of his longest waiter, and returns nil where there is neither.
// Otherwise leave must be called.
func (p *places) enter(buyer string) *place {
	key := maphash.String(p.seed, buyer)
	shard := p.shard(key)
	shard.Lock()
	defer shard.Unlock()
	taken := shard.taken[key]
	if len(taken) == placesPerBuyer {
		longest := slices.IndexFunc(taken, func(one *place) bool { return one.woken != nil })
		if longest < 0 {
			return nil
		}
		close(taken[longest].woken) // once: it leaves the list here
		taken = slices.Delete(taken, longest, longest+1)
	}
	one := &place{key: key}
	shard.taken[key] = append(taken, one)
	return one
}

// wait says that the request only waits from now on, and returns what is closed when a newer one takes its place.
func (p *places) wait(one *place) <-chan struct{} {
	shard := p.shard(one.key)
	shard.Lock()
	defer shard.Unlock()
	if one.woken == nil {
		one.woken = make(chan struct{})
	}
	return one.woken
}

// leave gives the place back, unless a newer request has it already.
func (p *places) leave(one *place) {
	shard := p.shard(one.key)
	shard.Lock()
	defer shard.Unlock()
	taken := shard.taken[one.key]
	i := slices.Index(taken, one)
	switch {
	case i < 0:
	case len(taken) == 1:
		delete(shard.taken, one.key)
	default:
		shard.taken[one.key] = slices.Delete(taken, i, i+1)
	}
}
