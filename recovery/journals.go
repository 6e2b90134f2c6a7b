package recovery

import (
	"context"
	"fmt"
	"time"

	"flashsale/sale"
	"flashsale/scripts"
)

// journalBuckets are the buckets that one reading of Journals looks at, in turn.
const journalBuckets = 2000

// Journals measures how full the journals are. One goroutine uses it.
type Journals struct {
	redis   *scripts.Redis
	watched func(now time.Time) []Watched // the buckets that may have a journal now, in order
	clock   *scripts.Clock
	turns   roundRobin
	orders  map[sale.Bucket]int64 // by the last look at each bucket
}

// NewJournals returns what measures the journals of the watched buckets.
func NewJournals(redis *scripts.Redis, watched func(now time.Time) []Watched) *Journals {
	return &Journals{
		redis: redis, watched: watched, clock: scripts.NewClock(nil), turns: roundRobin{most: journalBuckets},
		orders: map[sale.Bucket]int64{},
	}
}

// Fullest returns the orders in the fullest journal. With more than journalBuckets buckets, some counts are those of earlier
// calls.
func (j *Journals) Fullest(ctx context.Context) (fullest int64, err error) {
	if err := j.clock.Poll(ctx, j.redis); err != nil {
		return 0, fmt.Errorf("read redis's clock: %w", err)
	}
	now, _ := j.clock.Now()
	watched := j.watched(now)
	look := nextOf(&j.turns, watched, func(w Watched) sale.Bucket { return w.Bucket })
	buckets := make([]sale.Bucket, len(look))
	for i := range look {
		buckets[i] = look[i].Bucket
	}
	counts, err := j.redis.JournalCounts(ctx, buckets)
	if err != nil {
		return 0, fmt.Errorf("count the orders of %d journals: %w", len(buckets), err)
	}
	for i, b := range buckets {
		j.orders[b] = counts[i].Orders
	}
	known := make(map[sale.Bucket]int64, len(watched)) // without the buckets of sales that were archived
	for i := range watched {
		if orders, counted := j.orders[watched[i].Bucket]; counted {
			known[watched[i].Bucket], fullest = orders, max(fullest, orders)
		}
	}
	j.orders = known
	return fullest, nil
}
