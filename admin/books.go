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
	Books(ctx context.Context, id string) ([]sale.BucketBooks, error)
}

type readings interface {
	Readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error)
}

// readPositions reads the database first and Redis second: the package comment says why the order matters.
func readPositions(ctx context.Context, keeper bookKeeper, redis readings, saleID string) ([]position, error) {
	books, err := keeper.Books(ctx, saleID)
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
	positions := make([]position, len(books))
	for i := range books {
		positions[i] = positionOf(&books[i], &seen[i])
	}
	return positions, nil
}

// positionOf joins both sides. A bucket of epoch 0 was never loaded: its units are nowhere yet. Where the epochs differ,
// Redis's counters say nothing about these books and are left out.
func positionOf(books *sale.BucketBooks, seen *sale.Reading) position {
	p := position{BucketRow: books.BucketRow}
	if books.Epoch == 0 {
		p.Coherent = true
		return p
	}
	p.Stock = sale.Stock{Loaded: books.Loaded, Settled: books.Settled, Released: books.Released}
	if seen.Epoch == books.Epoch {
		p.Available = seen.Available
		p.InFlight = seen.Taken - books.SettledEpoch
		p.Oldest = seen.OldestJournal
		p.Coherent = books.State == sale.BucketOpen
	}
	return p
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
