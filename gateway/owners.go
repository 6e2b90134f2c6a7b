package gateway

import (
	"sync"

	"github.com/bits-and-blooms/bloom/v3"
)

// owners are the buyers who own a unit of a bucket in one epoch: read once, and added to by what this gateway sells. What
// other gateways sell is not known here, but counted by the bucket itself: as long as its units sold are those of the
// reading and those counted here, no owner is missing. Whoever gives his unit back stays; that only sends him to Redis for
// nothing.
type owners struct {
	epoch int64
	sold  int64 // units of the epoch when the reading began

	mu     sync.Mutex
	filter *bloom.BloomFilter // replaced, never changed
	fresh  []string           // owners who are not in the filter yet
	room   int                // how many may still be added
	own    int64              // units that this gateway has sold since to buyers who are in filter or fresh
}

// add counts a purchase that began when these owners had been read. Without room it counts nothing, so that the
// counts differ and the owners are read again.
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

// counted returns how many units are sold as far as is known here.
func (o *owners) counted() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sold + o.own
}

// all returns the filter with every buyer in it who was counted.
func (o *owners) all() *bloom.BloomFilter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.fresh) > 0 {
		filter := o.filter.Copy() // the present one is at work
		for _, buyer := range o.fresh {
			filter.AddString(buyer)
		}
		o.filter, o.fresh = filter, nil
	}
	return o.filter
}
