package audit

import (
	"cmp"
	"slices"

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

// marks are batches, transfers and applied outbox rows, sorted by writeID and id.
type marks []mark

// sorted sorts marks and leaves each once.
func (m marks) sorted() marks {
	slices.SortFunc(m, compareMarks)
	return slices.Compact(m)
}

// has reports whether a batch or a transfer is among sorted marks.
func (m marks) has(wanted mark) bool {
	_, found := slices.BinarySearchFunc(m, wanted, compareMarks)
	return found
}

func compareMarks(a, b mark) int { return cmp.Or(compareWrites(a.at, b.at), cmp.Compare(a.id, b.id)) }

// facts are what the stores contain about one sale.
type facts struct {
	sale      string
	saleLimit int64 // units per buyer over all SKUs, 0 = none
	archived  bool  // Redis has nothing of the sale, or will have nothing soon

	words    *words
	baskets  *baskets
	statuses statuses

	// From the database, in one snapshot.
	items   map[string]*itemFacts
	buckets map[int]*bucketFacts
	shelves map[shelfID]*shelfFacts
	paid    map[string]paidFacts  // by SKU
	rows    []row                 // sorted by id
	loose   []sale.OrderID        // lines of no order
	dead    map[sale.OrderID]bool // orders in the dead letters
	letters map[mark]recorded     // records in the dead letters, each once however often it was delivered
	markers marks                 // a negative id is an applied outbox row
	forks   marks

	// From the topic, from the sale's start to the end at which the reading began.
	records marks  // batches and transfers
	orders  []seen // sorted by id

	shortened map[int32]bool // partitions that may have had records of the sale before their first one

	entries []seen // from Redis, sorted by id

	buyers []uint64 // the rows by buyer and id, once they were asked for: see byBuyer

	resting bool // nothing moved while the stores were read, and nothing was in flight
}

// itemFacts is one SKU as the operator has it.
type itemFacts struct{ number, stock, limit int64 }

// paidFacts are the payments of one SKU, as the database counts them.
type paidFacts struct{ units, orders int64 }

// bucketFacts is one bucket in the database and in Redis.
type bucketFacts struct {
	epoch                     int64
	state                     sale.BucketState
	partition                 int32
	waiting                   int64 // rows in the outbox
	redisEpoch, redisSequence int64
	journal                   int64 // entries that Redis does not know to be in Kafka
}

// shelfID names the units of one SKU in one bucket.
type shelfID struct {
	bucket int
	sku    string
}

// shelfFacts are the units of one SKU in one bucket, in the database and in Redis.
type shelfFacts struct {
	number, limit, loaded, settled, released int64
	inDatabase, inRedis                      bool
	available, redisNumber, redisLimit       int64
}

func newFacts(saleID string, w *words) *facts {
	return &facts{
		sale: saleID, words: w, baskets: newBaskets(w), statuses: newStatuses(w), items: map[string]*itemFacts{},
		buckets: map[int]*bucketFacts{}, shelves: map[shelfID]*shelfFacts{}, dead: map[sale.OrderID]bool{},
		letters: map[mark]recorded{}, paid: map[string]paidFacts{},
	}
}

// sort brings what was read into the order in which it is judged.
func (f *facts) sort() {
	f.markers, f.forks, f.records = f.markers.sorted(), f.forks.sorted(), f.records.sorted()
	f.orders, f.entries = distinct(f.orders), distinct(f.entries)
}

// adopt takes over what another reading found of the sale in Redis.
func (f *facts) adopt(redis *facts) {
	for number, b := range redis.buckets {
		to := f.bucket(number)
		to.redisEpoch, to.redisSequence, to.journal = b.redisEpoch, b.redisSequence, b.journal
	}
	for of, s := range redis.shelves {
		to := f.shelf(of)
		to.inRedis, to.available, to.redisNumber, to.redisLimit = s.inRedis, s.available, s.redisNumber, s.redisLimit
	}
	f.entries = redis.entries
}

// bucket returns the facts of a bucket. A bucket that only a shelf names is closed and has no epoch.
func (f *facts) bucket(number int) *bucketFacts {
	if f.buckets[number] == nil {
		f.buckets[number] = &bucketFacts{state: sale.BucketClosed}
	}
	return f.buckets[number]
}

func (f *facts) shelf(of shelfID) *shelfFacts {
	if f.shelves[of] == nil {
		f.shelves[of] = &shelfFacts{}
	}
	return f.shelves[of]
}

// sortedShelves returns the shelves by SKU and bucket.
func (f *facts) sortedShelves() []shelfID {
	all := make([]shelfID, 0, len(f.shelves))
	for of := range f.shelves {
		all = append(all, of)
	}
	slices.SortFunc(all, func(a, b shelfID) int {
		return cmp.Or(cmp.Compare(a.sku, b.sku), cmp.Compare(a.bucket, b.bucket))
	})
	return all
}

// waiting returns the units of each shelf that are in the dead letters. Units that Redis took in an earlier epoch went back
// with the rebuild that ended it, and an order that Redis does not count took none.
func (f *facts) waiting() map[shelfID]int64 {
	units := map[shelfID]int64{}
	for m, letter := range f.letters {
		b := f.buckets[m.at.bucket]
		if b == nil || m.at.epoch != b.epoch || f.markers.has(m) {
			continue
		}
		for sku, moved := range letter.moved {
			units[shelfID{m.at.bucket, sku}] += moved
		}
		for i := range letter.orders {
			id := letter.orders[i].id
			entry := seenOf(f.entries, id)
			if rowOf(f.rows, id) != nil || entry == nil || entry.gone {
				continue
			}
			for _, l := range f.baskets.lines(entry.basket) {
				units[shelfID{m.at.bucket, l.sku}] += l.quantity
			}
		}
	}
	return units
}

// stock returns the terms of the stock equation of each SKU at rest: only units in the dead letters are in flight.
func (f *facts) stock() map[string]sale.Stock {
	sums, waiting := map[string]sale.Stock{}, f.waiting()
	for of, s := range f.shelves {
		one := sale.Stock{}
		if f.bucket(of.bucket).epoch > 0 { // a bucket that was never loaded has no units
			one = sale.Stock{Loaded: s.loaded, Available: s.available, InFlight: waiting[of], Settled: s.settled,
				Released: s.released}
		}
		sums[of.sku] = sums[of.sku].Add(one)
	}
	return sums
}

// quiet reports whether nothing of the sale is in flight: every record is settled, the journals and the outbox are empty,
// and every bucket is open in Redis's epoch, or the sale is archived.
func (f *facts) quiet(moved, ends map[int32]int64) bool {
	for _, b := range f.buckets {
		if b.waiting != 0 || b.journal != 0 ||
			b.epoch > 0 && (b.state != sale.BucketOpen && !f.archived || moved[b.partition] < ends[b.partition]) {
			return false
		}
	}
	return true
}
