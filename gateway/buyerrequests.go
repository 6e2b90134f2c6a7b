package gateway

import (
	"hash/maphash"
	"slices"
	"sync"
)

// requestsPerBuyer is how many reads, waits and cancellations of one buyer may be in progress in a gateway. One more ends the
// longest wait among them: the gateway answers that request at once, because its client may be gone, which the gateway
// notices only when it writes the answer. If none of them waits, the new request gets rate_limited: an app does not need
// more, and each counts against MaxReads.
const requestsPerBuyer = 4

const requestShards = 64

// buyerRequests is the table of the requests in progress by buyer. A buyer without one takes no memory, so the bounds on
// reads and waiters bound this table too.
type buyerRequests struct {
	seed   maphash.Seed
	shards [requestShards]requestShard
}

// requestShard is one part of the table. Keys are keyed hashes, so a buyer cannot choose a collision.
type requestShard struct {
	sync.Mutex
	underWay map[uint64][]*buyerRequest // of each buyer at most requestsPerBuyer, the oldest first
}

// buyerRequest is one request in progress of a buyer.
type buyerRequest struct {
	key   uint64
	woken chan struct{} // nil until the request waits; closed when a newer request ends the wait
}

func newBuyerRequests() *buyerRequests {
	b := &buyerRequests{seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].underWay = map[uint64][]*buyerRequest{}
	}
	return b
}

func (b *buyerRequests) shard(key uint64) *requestShard { return &b.shards[key%requestShards] }

// begin adds a request of the buyer; the caller must call end after it. If the buyer has requestsPerBuyer requests, begin
// ends the longest wait among them, and returns nil if none of them waits.
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
		close(underWay[longest].woken) // once: the next line removes it
		underWay = slices.Delete(underWay, longest, longest+1)
	}
	one := &buyerRequest{key: key}
	shard.underWay[key] = append(underWay, one)
	return one
}

// wait marks the request as one that only waits, and returns the channel that closes when a newer request ends the wait.
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
