package admin

import (
	"context"
	"fmt"

	"flashsale/sale"
)

// position is where the units of one bucket are, by the database and by Redis.
type position struct {
	sale.BucketRow
	sale.Stock
	Oldest   int64 // created_ms of the oldest journal entry, 0 when the journal is empty
	Coherent bool  // both sides speak of the same epoch and the bucket is open, so the numbers belong together
}

// bookKeeper is the database's side of a reading, readings Redis's.
type bookKeeper interface {
	SaleCounters(ctx context.Context, id string) ([]sale.BucketCounters, error)
}

type readings interface {
	Readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error)
}

// readPositions reads the database first and Redis second: the package comment says why the order matters.
func readPositions(ctx context.Context, keeper bookKeeper, redis readings, saleID string) ([]position, error) {
	books, err := keeper.SaleCounters(ctx, saleID)
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
	later, err := booksAfter(ctx, keeper, saleID, books, seen)
	if err != nil {
		return nil, fmt.Errorf("read the books of sale %s again: %w", saleID, err)
	}
	positions := make([]position, len(books))
	for i := range books {
		positions[i] = positionOf(&books[i], &seen[i], later[books[i].Bucket])
	}
	return positions, nil
}

// booksAfter reads the database once more, where Redis holds units that the first books have not given: they were given
// between the two readings, or by nobody.
func booksAfter(ctx context.Context, keeper bookKeeper, saleID string, books []sale.BucketCounters, seen []sale.Reading) (map[sale.Bucket]*sale.BucketCounters, error) {
	later := map[sale.Bucket]*sale.BucketCounters{}
	for i := range books {
		if surplus(&books[i], &seen[i]) == 0 {
			continue
		}
		again, err := keeper.SaleCounters(ctx, saleID)
		for j := range again {
			later[again[j].Bucket] = &again[j]
		}
		return later, err
	}
	return later, nil
}

// surplus is the units that the outbox has brought to Redis and that the books do not know of yet.
func surplus(books *sale.BucketCounters, seen *sale.Reading) int64 {
	if seen.Epoch != books.Epoch || books.Epoch == 0 {
		return 0
	}
	return max(0, seen.Returned-books.GivenEpoch)
}

// positionOf joins both sides. A bucket of epoch 0 was never loaded: its units are nowhere yet. Where the epochs differ,
// Redis's counters say nothing about these books and are left out. later are books that were read after Redis, nil when
// nothing asked for them.
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

// takeBack leaves out units that came to Redis after the books were read, if the later books say that they were given:
// the first books still count them where they were before. They are for sale, or taken again and then in flight. A
// surplus that the later books do not explain stays, and the equation shows it. Where the epoch has changed meanwhile
// nobody can tell.
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
