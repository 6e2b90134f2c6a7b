package scripts

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// DropBucket deletes the four keys of a bucket, its journal included, and Redis frees them in the background. The caller makes
// sure that the bucket is closed and its journal empty: purchases of a deleted bucket are refused as fenced. Dropping twice is
// harmless. Its error names Redis (sale.Away).
func (r *Redis) DropBucket(ctx context.Context, b sale.Bucket) error {
	if err := r.drop(ctx, r.Keys(b).all()); err != nil {
		return fmt.Errorf("drop bucket %s: %w", b, err)
	}
	return nil
}

// DropLists deletes versions of a sale's list of buyers, and the note of the version that was loaded last. A version that Redis
// does not have is no error. Its error names Redis (sale.Away).
func (r *Redis) DropLists(ctx context.Context, saleID string, versions []int64) error {
	keys := []string{r.listPointerKey(saleID)}
	for _, version := range versions {
		keys = append(keys, r.listKey(saleID, version))
	}
	if err := r.drop(ctx, keys); err != nil {
		return fmt.Errorf("drop %d lists of sale %s: %w", len(versions), saleID, err)
	}
	return nil
}

// drop deletes keys of one hash tag.
func (r *Redis) drop(ctx context.Context, keys []string) error {
	if err := r.Doubt(); err != nil {
		return err
	}
	err := r.do(ctx, func(c rueidis.Client) rueidis.Completed { return c.B().Unlink().Key(keys...).Build() }).Error()
	return sale.Away(sale.StoreRedis, err)
}
