package scripts

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
	"golang.org/x/sync/errgroup"

	"flashsale/faults"
	"flashsale/sale"
)

// Bounds of loading a list. While Redis adds some buyers, the next ones are read.
const (
	listChunk     = 1000 // buyers in one SADD
	listParallels = 2    // SADDs under way
)

// LoadList loads one version of a sale's list of buyers into Redis: one list per sale, whatever the number of SKUs. each must
// call its argument with every buyer; size is the number of buyers. Loading twice is harmless. LoadList frees the list that was
// loaded before. When Redis does not have size buyers afterwards, the error names Redis (sale.Away).
func (r *Redis) LoadList(ctx context.Context, saleID string, version, size int64,
	each func(func(buyer string) error) error) error {
	if err := r.Doubt(); err != nil {
		return fmt.Errorf("load list %d of sale %s: %w", version, saleID, err)
	}
	if err := r.addListed(ctx, r.listKey(saleID, version), each); err != nil {
		return fmt.Errorf("load list %d of sale %s: %w", version, saleID, err)
	}
	whole, err := r.HasList(ctx, saleID, version, size)
	if err != nil {
		return err
	}
	if !whole {
		return sale.Away(sale.StoreRedis,
			fmt.Errorf("list %d of sale %s does not have %d buyers after loading", version, saleID, size))
	}
	faults.Point("list.loaded")
	return r.freeOldList(ctx, saleID, version)
}

// HasList reports whether Redis has the whole list.
func (r *Redis) HasList(ctx context.Context, saleID string, version, size int64) (bool, error) {
	found, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Scard().Key(r.listKey(saleID, version)).Build()
	}).AsInt64()
	if err != nil {
		return false, sale.Away(sale.StoreRedis, fmt.Errorf("count list %d of sale %s: %w", version, saleID, err))
	}
	return found == size, nil
}

// freeOldList stores the version that was loaded, and frees the list of the version stored before.
func (r *Redis) freeOldList(ctx context.Context, saleID string, version int64) error {
	now := strconv.FormatInt(version, 10)
	old, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Getset().Key(r.listPointerKey(saleID)).Value(now).Build()
	}).ToString()
	faults.Point("list.pointer-moved")
	if rueidis.IsRedisNil(err) || (err == nil && old == now) {
		return nil
	}
	if err == nil {
		err = r.do(ctx, func(c rueidis.Client) rueidis.Completed {
			return c.B().Unlink().Key(r.listPointerKey(saleID) + ":" + old).Build()
		}).Error()
		faults.Point("list.old-freed")
	}
	if err != nil {
		return sale.Away(sale.StoreRedis, fmt.Errorf("free the list before %d of sale %s: %w", version, saleID, err))
	}
	return nil
}

// addListed adds every buyer to the set at key.
func (r *Redis) addListed(ctx context.Context, key string, each func(func(buyer string) error) error) error {
	adding, ctx := errgroup.WithContext(ctx)
	adding.SetLimit(listParallels)
	var chunk []string
	flush := func() error {
		members := chunk
		chunk = make([]string, 0, listChunk)
		adding.Go(func() error { return r.addChunk(ctx, key, members) }) // Go waits while listParallels are under way
		return ctx.Err()
	}
	readErr := each(func(buyer string) error {
		if chunk = append(chunk, buyer); len(chunk) < listChunk {
			return nil
		}
		return flush()
	})
	if readErr == nil && len(chunk) > 0 {
		readErr = flush()
	}
	if err := adding.Wait(); err != nil { // it may be the reason why reading ended
		return err
	}
	return readErr
}

func (r *Redis) addChunk(ctx context.Context, key string, members []string) error {
	err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Sadd().Key(key).Member(members...).Build()
	}).Error()
	faults.Point("list.chunk-loaded")
	return sale.Away(sale.StoreRedis, err)
}

// Listed reports for each buyer whether one version of a sale's list contains the buyer, and how many buyers that version has
// in Redis. When that is fewer than the list should have, the answers prove nothing.
func (r *Redis) Listed(ctx context.Context, saleID string, version int64, buyers []string,
) (members []bool, size int64, err error) {
	key := r.listKey(saleID, version)
	err = r.pipeline(ctx, 2, func(c rueidis.Client, i int) rueidis.Completed {
		if i == 0 {
			return c.B().Smismember().Key(key).Member(buyers...).Build()
		}
		return c.B().Scard().Key(key).Build()
	}, func(i int, result rueidis.RedisResult) (err error) {
		if i == 0 {
			members, err = result.AsBoolSlice()
		} else {
			size, err = result.AsInt64()
		}
		return err
	})
	if err == nil && len(members) != len(buyers) {
		err = fmt.Errorf("%d members asked, %d answered", len(buyers), len(members))
	}
	return members, size, err
}
