package store

import (
	"sync"

	"github.com/bits-and-blooms/bloom/v3"
)

// Bounds of the filters. A buyer takes 2.4 bytes of a filter: a sale has 13 MB at most, all sales together about 48.
const (
	maxFilters     = 256
	maxFilterRoom  = 20_000_000 // buyers that all filters together have room for
	evictEach      = 64         // uses between two checks of the room, because filters grow without one
	falsePositives = 1e-4       // of each layer: settlement then reads a buyer who has no order
	firstLayer     = 16 << 10   // buyers
	layerGrowth    = 4
	maxLayers      = 5 // 5.6 million buyers: of a sale with more, settlement reads the orders of all buyers
)

// settledBuyers has the filters of the sales that settled last. Its zero value is empty.
type settledBuyers struct {
	mu    sync.Mutex
	sales map[string]*saleBuyers
	uses  int64
}

// of returns the filter of a sale, a new one if there is none.
func (all *settledBuyers) of(id string) *saleBuyers {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.uses++
	b := all.sales[id]
	isNew := b == nil
	if isNew {
		if all.sales == nil {
			all.sales = map[string]*saleBuyers{}
		}
		b = &saleBuyers{counts: map[int]int64{}}
		all.sales[id] = b
	}
	b.used = all.uses
	if isNew || all.uses%evictEach == 0 {
		all.evict()
	}
	return b
}

// evict drops the filters that were not used for the longest time until the others are within the bounds. A settlement at work
// may still use a dropped one.
func (all *settledBuyers) evict() {
	for len(all.sales) > 1 {
		room, oldest := 0, ""
		for id, b := range all.sales {
			room += b.room()
			if oldest == "" || b.used < all.sales[oldest].used {
				oldest = id
			}
		}
		if len(all.sales) <= maxFilters && room <= maxFilterRoom {
			return
		}
		delete(all.sales, oldest)
	}
}

// saleBuyers is a Bloom filter of the buyers of a sale with, for each bucket, a number of orders: the buyers of the bucket's
// first counts[bucket] orders are in the filter, or, while it is filled, have ids after the cursor.
//
// Settlement reads the present number from the bucket's row, under the row's lock. Where it is the same, and the filling is
// over, a buyer who is not in the filter has no order in the bucket. The filter never loses a buyer, so settlement may add them
// before it knows whether it commits: one too many costs a look-up that finds nothing.
type saleBuyers struct {
	used int64 // the mutex of settledBuyers covers it

	mu      sync.Mutex
	layers  []*bloom.BloomFilter
	left    int           // room of the last layer, in buyers
	over    bool          // there are too many buyers; the layers are gone
	counts  map[int]int64 // by the number of the bucket; absent: 0
	filling int           // number of the last filling that has begun
	cursor  string
	partial bool // the filling is not over
}

// room returns the number of buyers that the filter has room for.
func (b *saleBuyers) room() (buyers int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for layer := range b.layers {
		buyers += layerRoom(layer)
	}
	return buyers
}

func layerRoom(layer int) int {
	buyers := firstLayer
	for range layer {
		buyers *= layerGrowth
	}
	return buyers
}

// add adds a buyer and reports whether the filter may have had them before.
func (b *saleBuyers) add(buyer []byte) bool {
	if b.left == 0 {
		b.grow()
	}
	if b.over {
		return true
	}
	last := len(b.layers) - 1
	for _, layer := range b.layers[:last] {
		if layer.Test(buyer) {
			return true
		}
	}
	if b.layers[last].TestOrAdd(buyer) {
		return true
	}
	b.left--
	return false
}

func (b *saleBuyers) grow() {
	layer := len(b.layers)
	if b.over || layer == maxLayers {
		b.over, b.layers = true, nil
		return
	}
	b.left = layerRoom(layer)
	b.layers = append(b.layers, bloom.NewWithEstimates(uint(b.left), falsePositives))
}

// filterStanding is what a filter knows about a bucket.
type filterStanding int

const (
	filterComplete filterStanding = iota
	filterPartial                 // it is being filled
	filterBehind                  // another process has settled orders, or the result of a commit was not known
	filterOver
)

// admit adds buyers of a bucket that has so many orders and returns those who may have one: all of them, unless the filter is
// complete.
func (b *saleBuyers) admit(bucket int, orders int64, buyers func(yield func(string) bool)) ([]string, filterStanding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	standing := b.standing(bucket, orders)
	var possible []string
	var id []byte
	for buyer := range buyers {
		id = append(id[:0], buyer...)
		if b.add(id) || standing != filterComplete {
			possible = append(possible, buyer)
		}
	}
	return possible, standing
}

func (b *saleBuyers) standing(bucket int, orders int64) filterStanding {
	switch {
	case b.over:
		return filterOver
	case b.counts[bucket] != orders:
		return filterBehind
	case b.partial:
		return filterPartial
	}
	return filterComplete
}

// begin begins a filling. counts are the present orders of every bucket of the sale.
func (b *saleBuyers) begin(counts map[int]int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.filling++
	b.counts, b.cursor, b.partial = counts, "", true
}

// next returns the number of the filling and the id after which its next page begins.
func (b *saleBuyers) next() (filling int, cursor string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.filling, b.cursor
}

// fill adds a page that was read after next: the buyers with orders whose ids are after the cursor of then, up to the last one
// of the page, or, with end, all of them. Two settlements may fill the same page.
func (b *saleBuyers) fill(filling int, page []string, end bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, buyer := range page {
		b.add([]byte(buyer))
	}
	switch {
	case filling != b.filling: // another settlement has begun again: the page may lack the newest orders
	case end:
		b.partial = false
	default:
		b.cursor = page[len(page)-1]
	}
}

// raise notes a commit that has confirmed the orders of a bucket between two numbers, all by admitted buyers.
func (b *saleBuyers) raise(bucket int, before, after int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts[bucket] == before {
		b.counts[bucket] = after
	}
}
