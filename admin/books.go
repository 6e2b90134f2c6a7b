package admin

import (
	"context"
	"fmt"

	"flashsale/sale"
)

// position counts the units of one bucket by SKU and place, from the database and from Redis.
type position struct {
	sale.BucketRow
	Oldest int64 // created_ms of the oldest journal entry, 0 when the journal is empty
	// both stores have the same epoch and the bucket is open, or only the database has it: the numbers belong together
	Coherent bool
	shelves  []shelf
}

// shelf is one SKU in a bucket.
type shelf struct {
	sku string
	sale.Stock
	returning int64 // units that the outbox moves between the stores, in flight: given or taken back in one store alone
}

// countersReader reads the counters in the database, readings those in Redis.
type countersReader interface {
	SaleCounters(ctx context.Context, id string) ([]sale.StockCounters, error)
}

type readings interface {
	StockReadings(ctx context.Context, buckets []sale.Bucket, skus []string) ([]sale.StockReading, error)
}

// readPositions reads the database first and Redis second; the package comment gives the reason for the order. Units that
// Redis has too many of, and that the books read afterwards do not explain, are read once more: units that were taken back
// at the same time hide those that were given.
func readPositions(ctx context.Context, db countersReader, redis readings, saleID string) ([]position, error) {
	positions, torn, err := readOnce(ctx, db, redis, saleID)
	if err == nil && torn {
		positions, _, err = readOnce(ctx, db, redis, saleID)
	}
	return positions, err
}

func readOnce(ctx context.Context, db countersReader, redis readings, saleID string) (all []position, torn bool, err error) {
	pairs, err := readPairs(ctx, db, redis, saleID)
	if err != nil || len(pairs) == 0 {
		return nil, false, err
	}
	later, err := booksAfter(ctx, db, saleID, pairs)
	if err != nil {
		return nil, false, fmt.Errorf("read the books of sale %s again: %w", saleID, err)
	}
	all = make([]position, len(pairs))
	for i := range pairs {
		var unexplained bool
		all[i], unexplained = pairs[i].position(later[pairs[i].books.Bucket])
		torn = torn || unexplained
	}
	return all, torn, nil
}

// readPairs reads every bucket of a sale, the database first and Redis second. A sale that was never preloaded has none.
func readPairs(ctx context.Context, db countersReader, redis readings, saleID string) ([]pair, error) {
	books, err := db.SaleCounters(ctx, saleID)
	if err != nil {
		return nil, fmt.Errorf("read the books of sale %s: %w", saleID, err)
	}
	if len(books) == 0 {
		return nil, nil
	}
	buckets := make([]sale.Bucket, len(books))
	for i := range books {
		buckets[i] = books[i].Bucket
	}
	seen, err := redis.StockReadings(ctx, buckets, nil)
	if err != nil {
		return nil, fmt.Errorf("read the stock of sale %s in Redis: %w", saleID, err)
	}
	if len(seen) != len(books) {
		return nil, fmt.Errorf("read the stock of sale %s in Redis: %d readings of %d buckets", saleID, len(seen), len(books))
	}
	pairs := make([]pair, len(books))
	for i := range books {
		pairs[i] = pairOf(&books[i], &seen[i])
	}
	return pairs, nil
}

// pair is both readings of a bucket.
type pair struct {
	books *sale.StockCounters
	seen  *sale.StockReading
	skus  []shelfPair
	fits  bool // both are of the same epoch, so that Redis's counters belong to these books
}

// shelfPair is both readings of one SKU in a bucket. A SKU that one store lacks has zeros there.
type shelfPair struct {
	books sale.ShelfCounters
	seen  sale.ShelfReading
}

// surplus counts the units that the outbox has returned to Redis and that the books do not contain yet.
func (p *shelfPair) surplus() int64 { return max(0, p.seen.Returned-p.books.GivenEpoch) }

// pairOf joins the SKUs of both readings: those of the books in their order, then those that only Redis has.
func pairOf(books *sale.StockCounters, seen *sale.StockReading) pair {
	p := pair{books: books, seen: seen, fits: books.Epoch != 0 && seen.Epoch == books.Epoch}
	p.skus = make([]shelfPair, len(books.Shelves), len(books.Shelves)+1)
	for i := range books.Shelves {
		p.skus[i].books = books.Shelves[i]
	}
	if !p.fits {
		return p
	}
	at := make(map[string]int, len(books.Shelves))
	for i := range books.Shelves {
		at[books.Shelves[i].SKU] = i
	}
	for i := range seen.Shelves {
		if place, known := at[seen.Shelves[i].SKU]; known {
			p.skus[place].seen = seen.Shelves[i]
		} else {
			p.skus = append(p.skus, shelfPair{books: sale.ShelfCounters{SKU: seen.Shelves[i].SKU}, seen: seen.Shelves[i]})
		}
	}
	return p
}

// added reports whether only Redis has the SKU: an item that was added between the readings, or units without a source.
func (p *pair) added(i int) bool { return i >= len(p.books.Shelves) }

// booksAfter reads the database again when Redis has units or SKUs that the first books do not contain: either they were
// given between the two readings, or Redis has too many.
func booksAfter(
	ctx context.Context, db countersReader, saleID string, pairs []pair,
) (map[sale.Bucket]*sale.StockCounters, error) {
	later := map[sale.Bucket]*sale.StockCounters{}
	for i := range pairs {
		if !pairs[i].doubtful() {
			continue
		}
		again, err := db.SaleCounters(ctx, saleID)
		for j := range again {
			later[again[j].Bucket] = &again[j]
		}
		return later, err
	}
	return later, nil
}

func (p *pair) doubtful() bool {
	if !p.fits {
		return false
	}
	for i := range p.skus {
		if p.skus[i].surplus() != 0 {
			return true
		}
	}
	return len(p.skus) > len(p.books.Shelves)
}

// position counts the units of a pair. A bucket of epoch 0 was never loaded and has no units. When the epochs differ,
// Redis's counters are left out. later are the books read after Redis, nil when they were not read; when they are of
// another epoch, the position is not coherent. unexplained: a surplus of Redis is in none of the books.
func (p *pair) position(later *sale.StockCounters) (at position, unexplained bool) {
	at = position{BucketRow: p.books.BucketRow, Coherent: p.books.Epoch == 0 || p.fits && p.books.State == sale.BucketOpen}
	if p.fits {
		at.Oldest = p.seen.OldestJournal
	}
	if p.books.State == sale.BucketArchived {
		return p.archived(), false
	}
	if later != nil && p.doubtful() && later.Epoch != p.books.Epoch {
		at.Coherent, later = false, nil
	}
	known := map[string]*sale.ShelfCounters{}
	if later != nil {
		for i := range later.Shelves {
			known[later.Shelves[i].SKU] = &later.Shelves[i]
		}
	}
	at.shelves = make([]shelf, 0, len(p.skus))
	for i := range p.skus {
		after := known[p.skus[i].books.SKU]
		if p.added(i) && after != nil {
			continue // an item that was added after the first books
		}
		units, torn := p.skus[i].shelf(p.books.Epoch != 0, p.fits, after)
		at.shelves = append(at.shelves, units)
		unexplained = unexplained || torn || p.added(i)
	}
	return at, unexplained && at.Coherent
}

// archived counts the units of a bucket whose sale is archived, from the final books alone. The units that nobody has bought
// are those that were available when the sale was archived.
func (p *pair) archived() position {
	at := position{BucketRow: p.books.BucketRow, Coherent: true, shelves: make([]shelf, len(p.books.Shelves))}
	for i := range p.books.Shelves {
		b := &p.books.Shelves[i]
		at.shelves[i] = shelf{sku: b.SKU, Stock: sale.Stock{
			Loaded: b.Loaded, Available: b.Loaded - b.Settled + b.Released, Settled: b.Settled, Released: b.Released,
		}}
	}
	return at
}

// shelf counts one SKU's units. Redis's counters count only where they fit the books.
func (p *shelfPair) shelf(loaded, fits bool, later *sale.ShelfCounters) (units shelf, unexplained bool) {
	units.sku = p.books.SKU
	if !loaded {
		return units, false
	}
	units.Stock = sale.Stock{Loaded: p.books.Loaded, Settled: p.books.Settled, Released: p.books.Released}
	if !fits {
		return units, false
	}
	units.Available = p.seen.Available
	units.returning = max(0, p.books.GivenEpoch-p.seen.Returned)
	units.InFlight = p.seen.Taken - p.books.SettledEpoch + units.returning
	surplus := p.surplus()
	if surplus == 0 {
		return units, false
	}
	return units, !units.takeBack(surplus, p.books.GivenEpoch, later)
}

// takeBack leaves out units that Redis received after the books were read, if the later books contain them: the first
// books still count them where they were before. They are for sale, or taken again and then in flight. It returns false
// for a surplus that the later books do not explain: that one stays, and the equation shows it.
func (s *shelf) takeBack(units, given int64, later *sale.ShelfCounters) bool {
	if later == nil || later.GivenEpoch < given+units {
		return false
	}
	fromAvailable := min(units, max(0, s.Available))
	s.Available -= fromAvailable
	s.InFlight -= units - fromAvailable
	return true
}
