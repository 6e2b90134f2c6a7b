package gateway

import (
	"sync"

	"github.com/bits-and-blooms/bloom/v3"
)

// owners are the buyers who own a unit of a bucket in one epoch: those of one reading, and those who bought from this gateway
// since. The bucket's own count of sold units includes the sales of other gateways: if it equals the units of the reading
// plus those counted here, no owner is missing. A buyer who gives a unit back stays, and only causes a needless call to Redis.
type owners struct {
	epoch int64
	sold  int64 // units of the epoch when the reading began

	mu     sync.Mutex
	filter *bloom.BloomFilter // replaced, never changed
	fresh  []string           // owners who are not in the filter yet
	room   int                // how many buyers add still takes
	own    int64              // units that this gateway has sold since to buyers in filter or fresh
}

// add counts a purchase that began after the reading of these owners. Without room it counts nothing, so that the counts
// differ and the watcher orders another reading.
func (o *owners) add(buyer string, units int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.room == 0 {
		return
	}
	o.room--
	o.fresh = append(o.fresh, buyer)
	o.own += units
}

// counted returns the units sold: those of the reading and those of this gateway since.
func (o *owners) counted() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sold + o.own
}

// all returns the filter with every counted buyer.
func (o *owners) all() *bloom.BloomFilter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.fresh) > 0 {
		filter := o.filter.Copy() // purchases are reading the present one
		for _, buyer := range o.fresh {
			filter.AddString(buyer)
		}
		o.filter, o.fresh = filter, nil
	}
	return o.filter
}
