package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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

// line is one SKU of an order. Redis has no prices: they are 0 in its entries.
type line struct {
	sku             string
	quantity, price int64
}

// row is an order as one of the stores has it.
type row struct {
	bucket int
	buyer  string
	lines  []line           // sorted by SKU
	status sale.OrderStatus // only of rows of the database
	key    string           // the buyer's idempotency key; only of rows of the database
	gone   bool             // only of entries in Redis: the order no longer counts

	// Of rows of the database: what the row says of its lines.
	sku                    string // "" where there are several
	quantity, total, count int64
}

// live reports whether the order owns units.
func (r row) live() bool { return r.status == sale.StatusConfirmed || r.status == sale.StatusPaid }

// released reports whether the order gave its units back.
func (r row) released() bool {
	return r.status == sale.StatusCancelled || r.status == sale.StatusExpired
}

func sortLines(lines []line) {
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.sku, b.sku) })
}

// sameUnits reports whether two orders have the same SKUs in the same quantities; prices reports it for the prices too.
func sameUnits(a, b []line, prices bool) bool {
	return slices.EqualFunc(a, b, func(x, y line) bool {
		return x.sku == y.sku && x.quantity == y.quantity && (!prices || x.price == y.price)
	})
}

func written(lines []line) string {
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = fmt.Sprintf("%d of %s at %d", l.quantity, l.sku, l.price)
	}
	return strings.Join(texts, ", ")
}

// facts are what the stores contain about one sale.
type facts struct {
	sale      string
	saleLimit int64 // units per buyer over all SKUs, 0 = none
	archived  bool  // Redis has nothing of the sale, or will have nothing soon

	// From the database, in one snapshot.
	items   map[string]*itemFacts
	buckets map[int]*bucketFacts
	shelves map[shelfID]*shelfFacts
	rows    map[sale.OrderID]row
	loose   []sale.OrderID           // lines of no order
	dead    map[sale.OrderID]bool    // orders in the dead letters
	letters map[mark]recorded        // records in the dead letters, each once however often it was delivered
	markers map[writeID]sale.OrderID // a negative id is an applied outbox row
	forks   map[writeID][]sale.OrderID

	// From the topic, from the sale's start to the end at which the reading began.
	records map[writeID][]sale.OrderID // batch and transfer ids
	orders  map[sale.OrderID]row

	shortened map[int32]bool // partitions that may have had records of the sale before their first one

	entries map[sale.OrderID]row // from Redis

	resting bool // nothing moved while the stores were read, and nothing was in flight
}

// itemFacts is one SKU as the operator has it.
type itemFacts struct{ number, stock, limit int64 }

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

func newFacts(saleID string) *facts {
	return &facts{
		sale: saleID, items: map[string]*itemFacts{}, buckets: map[int]*bucketFacts{}, shelves: map[shelfID]*shelfFacts{},
		rows: map[sale.OrderID]row{}, dead: map[sale.OrderID]bool{}, letters: map[mark]recorded{},
		markers: map[writeID]sale.OrderID{}, forks: map[writeID][]sale.OrderID{},
		records: map[writeID][]sale.OrderID{}, orders: map[sale.OrderID]row{}, entries: map[sale.OrderID]row{},
	}
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
		if b == nil || m.at.epoch != b.epoch || f.markers[m.at] == m.id {
			continue
		}
		for sku, moved := range letter.moved {
			units[shelfID{m.at.bucket, sku}] += moved
		}
		for id := range letter.orders {
			entry, known := f.entries[id]
			if _, settled := f.rows[id]; settled || !known || entry.gone {
				continue
			}
			for _, l := range entry.lines {
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
