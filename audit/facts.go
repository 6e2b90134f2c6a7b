package audit

import (
	"cmp"

	"flashsale/sale"
)

// place is where a batch, a transfer or an applied outbox row stands in the life of its bucket.
type place struct {
	bucket          int
	epoch, sequence int64
}

// mark names a batch or a transfer: two of them at one place are a fork.
type mark struct {
	at place
	id sale.OrderID
}

// row is an order as one of the stores knows it.
type row struct {
	bucket   int
	buyer    string
	quantity int64
	status   sale.OrderStatus // of the database's rows only
	key      string           // the buyer's idempotency key, of the database's rows only
}

// live reports whether the order holds units.
func (r row) live() bool { return r.status == sale.StatusConfirmed || r.status == sale.StatusPaid }

// facts are what the stores say about one SKU.
type facts struct {
	sale, sku string
	limit     int64

	// Of the database, from one snapshot.
	buckets map[int]*bucketFacts
	rows    map[sale.OrderID]row
	dead    map[sale.OrderID]bool  // orders that wait in a dead letter
	letters map[mark]recorded      // the records that wait there, each once however often it was delivered
	markers map[place]sale.OrderID // negative ids are applied outbox rows
	forks   map[place][]sale.OrderID

	// Of the topic, from the sale's start to the end that it had when reading began.
	records map[place][]sale.OrderID // batch and transfer ids
	orders  map[sale.OrderID]row

	// Of Redis.
	entries map[sale.OrderID]row // units of entries that count no more are negative
	journal int64                // entries that Redis does not know to be in Kafka

	resting bool // nothing moved while the stores were read, and nothing was under way
}

// bucketFacts is one stock row, and what Redis says beside it.
type bucketFacts struct {
	epoch                                     int64
	state                                     sale.BucketState
	partition                                 int32
	loaded, settled, released                 int64
	waiting                                   int64 // units in the outbox
	redisEpoch, redisSequence, redisAvailable int64
}

func newFacts(saleID, sku string, limit int64) *facts {
	return &facts{
		sale: saleID, sku: sku, limit: limit, buckets: map[int]*bucketFacts{}, rows: map[sale.OrderID]row{},
		dead: map[sale.OrderID]bool{}, letters: map[mark]recorded{}, markers: map[place]sale.OrderID{},
		forks:   map[place][]sale.OrderID{},
		records: map[place][]sale.OrderID{}, orders: map[sale.OrderID]row{}, entries: map[sale.OrderID]row{},
	}
}

// waiting returns the units of a bucket that wait in the dead letters. What Redis took in another epoch went back with the
// rebuild that ended it, and an order that Redis does not count took nothing.
func (f *facts) waiting(number int, b *bucketFacts) (units int64) {
	for m, letter := range f.letters {
		if m.at.bucket != number || m.at.epoch != b.epoch || f.markers[m.at] == m.id {
			continue
		}
		units += letter.moved
		for id := range letter.orders {
			if _, settled := f.rows[id]; !settled && f.entries[id].quantity > 0 {
				units += f.entries[id].quantity
			}
		}
	}
	return units
}

// stock is the SKU's side of the stock equation as the stores tell it at rest: in flight is what waits in the outbox and in
// the dead letters, and nothing else.
func (f *facts) stock() sale.Stock {
	var sum sale.Stock
	for number, b := range f.buckets {
		if b.epoch == 0 {
			continue // never loaded: its units are nowhere yet
		}
		sum = sum.Add(sale.Stock{
			Loaded: b.loaded, Available: b.redisAvailable, InFlight: b.waiting + f.waiting(number, b), Settled: b.settled,
			Released: b.released,
		})
	}
	return sum
}

func compareItems(a, b *facts) int {
	return cmp.Or(cmp.Compare(a.sale, b.sale), cmp.Compare(a.sku, b.sku))
}
