package gateway

import (
	"hash/maphash"
	"slices"
	"sync"
)

// requestsPerBuyer is how many reads, waits and cancellations one buyer may have under way in a gateway. One more ends the
// request that waits longest, which is answered at once: its client may be gone, which the gateway sees only when it writes the
// answer. Where none waits, one more is answered rate_limited: an app has no use for it, and each counts against MaxReads.
const requestsPerBuyer = 4

const requestShards = 64

// buyerRequests holds what every buyer has under way. A buyer with nothing under way takes no memory, so that the bounds on
// reads and waiters bound this table too.
type buyerRequests struct {
	seed   maphash.Seed
	shards [requestShards]requestShard
}

// requestShard holds the buyers of one part of the keys, which are keyed hashes: buyers cannot choose to collide.
type requestShard struct {
	sync.Mutex
	underWay map[uint64][]*buyerRequest // of each buyer at most requestsPerBuyer, the oldest first
}

// buyerRequest is one request of a buyer that is under way.
type buyerRequest struct {
	key   uint64
	woken chan struct{} // nil before the request waits; closed when a newer request ends the wait
}

func newBuyerRequests() *buyerRequests {
	b := &buyerRequests{seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].underWay = map[uint64][]*buyerRequest{}
	}
	return b
}

func (b *buyerRequests) shard(key uint64) *requestShard { return &b.shards[key%requestShards] }

// begin adds a request of the buyer. Where he has as many as allowed it ends the wait of his longest waiter, and returns nil
// where none of them waits. Otherwise end must be called.
func (b *buyerRequests) begin(buyer string) *buyerRequest {
	key := maphash.String(b.seed, buyer)
	shard := b.shard(key)
	shard.Lock()
	defer shard.Unlock()
	underWay := shard.underWay[key]
	if len(underWay) == requestsPerBuyer {
		longest := slices.IndexFunc(underWay, func(one *buyerRequest) bool { return one.woken != nil })
		if longest < 0 {
			return nil
		}
		close(underWay[longest].woken) // once: it leaves the list here
		underWay = slices.Delete(underWay, longest, longest+1)
	}
	one := &buyerRequest{key: key}
	shard.underWay[key] = append(underWay, one)
	return one
}

// wait notes that the request only waits from now on, and returns what is closed when a newer request ends the wait.
func (b *buyerRequests) wait(one *buyerRequest) <-chan struct{} {
	shard := b.shard(one.key)
	shard.Lock()
	defer shard.Unlock()
	if one.woken == nil {
		one.woken = make(chan struct{})
	}
	return one.woken
}

// end removes the request, unless a newer one has removed it already.
func (b *buyerRequests) end(one *buyerRequest) {
	shard := b.shard(one.key)
	shard.Lock()
	defer shard.Unlock()
	underWay := shard.underWay[one.key]
	i := slices.Index(underWay, one)
	switch {
	case i < 0:
	case len(underWay) == 1:
		delete(shard.underWay, one.key)
	default:
		shard.underWay[one.key] = slices.Delete(underWay, i, i+1)
	}
}
