package reserve

import (
	"context"
	"fmt"

	"flashsale/sale"
	"flashsale/scripts"
)

// Holdings returns the orders of a buyer as Redis knows them, oldest first: what a look-up shows before the database has
// the row. Released orders are not among them: the database has decided on those. None is no error.
func (e *Engine) Holdings(ctx context.Context, b sale.Bucket, buyer string) ([]sale.Holding, error) {
	holdings, err := e.Redis.Holdings(ctx, b, buyer, func(at scripts.WriteID) bool { return e.queued(b, at) })
	if err != nil {
		return nil, fmt.Errorf("read the holdings of bucket %s: %w", b, err)
	}
	return holdings, nil
}

// Owners calls each with every buyer who owns units of the bucket. While buyers are added it may pass one more than once.
func (e *Engine) Owners(ctx context.Context, b sale.Bucket, each func(buyer string) error) error {
	return e.Redis.EachOwner(ctx, b, each)
}

// queued reports whether Kafka has acknowledged a batch of any bucket to this gateway a short while ago.
func (e *Engine) queued(b sale.Bucket, at scripts.WriteID) bool {
	e.mu.RLock()
	q := e.queues[b]
	e.mu.RUnlock()
	return q != nil && q.queued(at)
}
