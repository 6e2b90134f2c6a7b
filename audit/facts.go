package audit

import (
	"cmp"

	"flashsale/sale"
)

// writeID identifies a batch, a transfer or an applied outbox row within its bucket.
type writeID struct {
	bucket          int
	epoch, sequence int64
}

// mark names a batch or a transfer. Two marks with one writeID are a fork.
type mark struct {
	at writeID
	id sale.OrderID
}

// row is an order as one of the stores has it.
type row struct {
	bucket   int
	buyer    string
	quantity int64
	status   sale.OrderStatus // only of rows of the database
	key      string           // the buyer's idempotency key; only of rows of the database
}

// live reports whether the order owns units.
func (r row) live() bool { return r.status == sale.StatusConfirmed || r.status == sale.StatusPaid }

// facts are what the stores contain about one SKU.
type facts struct {
	sale, sku string
	limit     int64

	// From the database, in one snapshot.
	buckets map[int]*bucketFacts
	rows    map[sale.OrderID]row
	dead    map[sale.OrderID]bool    // orders in the dead letters
	letters map[mark]recorded        // records in the dead letters, each once however often it was delivered
	markers map[writeID]sale.OrderID // a negative id is an applied outbox row
	forks   map[writeID][]sale.OrderID

	// From the topic, from the sale's start to the end at which the reading began.
	records map[writeID][]sale.OrderID // batch and transfer ids
	orders  map[sale.OrderID]row

	shortened map[int32]bool // partitions that may have had records of the sale before their first one

	// From Redis.
	entries map[sale.OrderID]row // entries that no longer count have negative units
	journal int64                // entries that Redis does not know to be in Kafka

	resting bool // nothing moved while the stores were read, and nothing was in flight
}

// bucketFacts is one stock row and Redis's values of the same bucket.
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
		dead: map[sale.OrderID]bool{}, letters: map[mark]recorded{}, markers: map[writeID]sale.OrderID{},
		forks:   map[writeID][]sale.OrderID{},
		records: map[writeID][]sale.OrderID{}, orders: map[sale.OrderID]row{}, entries: map[sale.OrderID]row{},
	}
}

// waiting returns the units of a bucket that are in the dead letters. Units that Redis took in an earlier epoch went
// back with the rebuild that ended it, and an order that Redis does not count took none.
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

// stock returns the SKU's terms of the stock equation at rest: only units in the outbox and in the dead letters are in
// flight.
func (f *facts) stock() sale.Stock {
	var sum sale.Stock
	for number, b := range f.buckets {
		if b.epoch == 0 {
			continue // never loaded: it has no units
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
