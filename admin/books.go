package admin

import (
	"context"
	"fmt"

	"flashsale/sale"
)

// position counts the units of one bucket by place, from the database and from Redis.
type position struct {
	sale.BucketRow
	sale.Stock
	Oldest   int64 // created_ms of the oldest journal entry, 0 when the journal is empty
	Coherent bool  // both stores have the same epoch and the bucket is open, so the numbers belong together
}

// countersReader reads the counters in the database, readings those in Redis.
type countersReader interface {
	SaleCounters(ctx context.Context, id string) ([]sale.BucketCounters, error)
}

type readings interface {
	Readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error)
}

// readPositions reads the database first and Redis second; the package comment gives the reason for the order.
func readPositions(ctx context.Context, db countersReader, redis readings, saleID string) ([]position, error) {
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
	seen, err := redis.Readings(ctx, buckets)
	if err != nil {
		return nil, fmt.Errorf("read the stock of sale %s in Redis: %w", saleID, err)
	}
	if len(seen) != len(books) {
		return nil, fmt.Errorf("read the stock of sale %s in Redis: %d readings of %d buckets", saleID, len(seen), len(books))
	}
	later, err := booksAfter(ctx, db, saleID, books, seen)
	if err != nil {
		return nil, fmt.Errorf("read the books of sale %s again: %w", saleID, err)
	}
	positions := make([]position, len(books))
	for i := range books {
		positions[i] = positionOf(&books[i], &seen[i], later[books[i].Bucket])
	}
	return positions, nil
}

// booksAfter reads the database again when Redis has returned units that the first books do not contain: either they
// were given between the two readings, or Redis has too many.
func booksAfter(ctx context.Context, db countersReader, saleID string, books []sale.BucketCounters,
	seen []sale.Reading) (map[sale.Bucket]*sale.BucketCounters, error) {
	later := map[sale.Bucket]*sale.BucketCounters{}
	for i := range books {
		if surplus(&books[i], &seen[i]) == 0 {
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

// surplus counts the units that the outbox has returned to Redis and that the books do not contain yet.
func surplus(books *sale.BucketCounters, seen *sale.Reading) int64 {
	if seen.Epoch != books.Epoch || books.Epoch == 0 {
		return 0
	}
	return max(0, seen.Returned-books.GivenEpoch)
}

// positionOf joins both readings of a bucket. A bucket of epoch 0 was never loaded and has no units. When the epochs
// differ, Redis's counters do not fit these books and are left out. later are the books read after Redis, nil when they
// were not read.
func positionOf(books *sale.BucketCounters, seen *sale.Reading, later *sale.BucketCounters) position {
	p := position{BucketRow: books.BucketRow}
	if books.Epoch == 0 {
		p.Coherent = true
		return p
	}
	p.Stock = sale.Stock{Loaded: books.Loaded, Settled: books.Settled, Released: books.Released}
	if seen.Epoch == books.Epoch {
		p.Available = seen.Available
		p.InFlight = seen.Taken - books.SettledEpoch + max(0, books.GivenEpoch-seen.Returned)
		p.Oldest = seen.OldestJournal
		p.Coherent = books.State == sale.BucketOpen
		p.takeBack(surplus(books, seen), books, later)
	}
	return p
}

// takeBack leaves out units that Redis received after the books were read, if the later books contain them: the first
// books still count them where they were before. They are for sale, or taken again and then in flight. A surplus that
// the later books do not explain stays, and the equation shows it. When the epoch has changed meanwhile, the position
// is not coherent.
func (p *position) takeBack(units int64, books, later *sale.BucketCounters) {
	if units == 0 || later == nil {
		return
	}
	if later.Epoch != books.Epoch {
		p.Coherent = false
		return
	}
	if later.GivenEpoch < books.GivenEpoch+units {
		return
	}
	fromAvailable := min(units, max(0, p.Available))
	p.Available -= fromAvailable
	p.InFlight -= units - fromAvailable
}

// skuPositions are the buckets of one SKU.
type skuPositions struct {
	sku     string
	buckets []position
}

// bySKU groups positions in the order of the sale's items; a SKU that was never preloaded has no buckets.
func bySKU(s *sale.Sale, positions []position) []skuPositions {
	groups := make([]skuPositions, len(s.Items))
	index := make(map[string]int, len(s.Items))
	for i, item := range s.Items {
		groups[i].sku, index[item.SKU] = item.SKU, i
	}
	for _, p := range positions {
		if i, ok := index[p.SKU]; ok {
			groups[i].buckets = append(groups[i].buckets, p)
		}
	}
	return groups
}

// total adds up the SKU's buckets.
func (g *skuPositions) total() sale.Stock {
	var sum sale.Stock
	for i := range g.buckets {
		sum = sum.Add(g.buckets[i].Stock)
	}
	return sum
}

// coherent reports whether every bucket's numbers belong together.
func (g *skuPositions) coherent() bool {
	for i := range g.buckets {
		if !g.buckets[i].Coherent {
			return false
		}
	}
	return true
}
