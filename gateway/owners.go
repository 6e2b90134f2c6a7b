package gateway

import (
	"encoding/binary"
	"maps"
	"sync"

	"github.com/bits-and-blooms/bloom/v3"

	"flashsale/sale"
)

// owners are the buyers who own a unit of a sold-out SKU in a bucket, in one epoch: those of one reading of the bucket, and
// those who bought from this gateway since. One reading serves all SKUs that were sold out when it was ordered; a SKU that
// sells out later needs another one.
//
// The count is per SKU, because a bucket always sells some SKU and its total would never stand still. Redis counts the units
// of the SKU that the bucket sold in this epoch, for all gateways. The gateway read that count before it read the owners,
// and adds what it sold since to buyers of the filter. Every unit of the sum is of a buyer in the filter, no unit is counted
// twice, and the sum is never above Redis's count. So if the two are equal, no owner of the SKU is missing. If another
// gateway has sold, or units were sold between the count and the reading, they differ, and the owners are read again. A
// buyer who gives a unit back stays, and only causes a needless call to Redis.
type owners struct {
	epoch int64
	sold  map[int]int64 // by number of the SKU: units of the epoch when the reading was ordered; never changed

	mu     sync.Mutex
	filter *bloom.BloomFilter // of appendOwner's keys; replaced, never changed
	fresh  []owner            // owners who are not in the filter yet
	room   int                // how many owners add still takes
	own    map[int]int64      // by number: units that this gateway has sold since to buyers in filter or fresh
}

// owner is a buyer who owns a unit of a SKU.
type owner struct {
	number int
	buyer  string
}

// ownerKeyBytes is enough for every key of a filter.
const ownerKeyBytes = binary.MaxVarintLen64 + sale.MaxIDBytes

// appendOwner writes the key of an owner in a filter: the number of the SKU, then the buyer.
func appendOwner[T sale.Text](dst []byte, number int, buyer T) []byte {
	return append(binary.AppendUvarint(dst, uint64(number)), buyer...)
}

// add counts a purchase that began after the reading of these owners, if the reading covers its SKU. Without room it counts
// nothing, so that the counts differ and the watcher orders another reading.
func (o *owners) add(number int, buyer string, units int64) {
	if _, covered := o.sold[number]; !covered {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.room == 0 {
		return
	}
	if o.own == nil {
		o.own = map[int]int64{}
	}
	o.room--
	o.fresh = append(o.fresh, owner{number, buyer})
	o.own[number] += units
}

// all returns the filter with every counted buyer.
func (o *owners) all() *bloom.BloomFilter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.fresh) > 0 {
		filter := o.filter.Copy() // purchases are reading the present one
		var key [ownerKeyBytes]byte
		for _, one := range o.fresh {
			filter.Add(appendOwner(key[:0], one.number, one.buyer))
		}
		o.filter, o.fresh = filter, nil
	}
	return o.filter
}

// tally is the count of a bucket's owners from before a look at the bucket. A count from after the look may contain a
// purchase of this gateway instead of one of another gateway that the look has read.
type tally struct {
	owners *owners
	own    map[int]int64
}

func (b *bucketOwners) tally() tally {
	known := b.owners.Load()
	if known == nil {
		return tally{}
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	return tally{known, maps.Clone(known.own)}
}

// complete reports whether no owner of a SKU is missing, by the units sold that the look has read.
func (t tally) complete(number int, read soldUnits) bool {
	if t.owners == nil || t.owners.epoch != read.epoch {
		return false
	}
	before, covered := t.owners.sold[number]
	return covered && before+t.own[number] == read.units
}
