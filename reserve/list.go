package reserve

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"flashsale/faults"
)

const listChunk = 1000 // buyers in one SADD

// LoadList brings one version of a sale's list of buyers into Redis: one list a sale, whatever the number of SKUs. each
// must call its argument with every buyer; size is how many there are. Loading twice is harmless. The list that was
// loaded before is freed.
func (r *Redis) LoadList(ctx context.Context, saleID string, version, size int64, each func(func(buyer string) error) error) error {
	if err := r.owner.check(); err != nil {
		return fmt.Errorf("load list %d of sale %s: %w", version, saleID, err)
	}
	loader := listLoader{redis: r, key: r.listKey(saleID, version)}
	err := each(func(buyer string) error { return loader.add(ctx, buyer) })
	if err == nil {
		err = loader.flush(ctx)
	}
	if err != nil {
		return fmt.Errorf("load list %d of sale %s: %w", version, saleID, err)
	}
	whole, err := r.HasList(ctx, saleID, version, size)
	if err != nil {
		return err
	}
	if !whole {
		return fmt.Errorf("list %d of sale %s does not hold %d buyers after loading", version, saleID, size)
	}
	faults.Point("list.loaded")
	return r.freeOldList(ctx, saleID, version)
}

// HasList reports whether Redis holds the whole list.
func (r *Redis) HasList(ctx context.Context, saleID string, version, size int64) (bool, error) {
	found, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Scard().Key(r.listKey(saleID, version)).Build()
	}).AsInt64()
	if err != nil {
		return false, fmt.Errorf("count list %d of sale %s: %w", version, saleID, err)
	}
	return found == size, nil
}

// freeOldList remembers the version that was loaded and frees the one remembered before it.
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
		return fmt.Errorf("free the list before %d of sale %s: %w", version, saleID, err)
	}
	return nil
}

// listLoader gathers buyers into commands.
type listLoader struct {
	redis *Redis
	key   string
	chunk []string
}

func (l *listLoader) add(ctx context.Context, buyer string) error {
	l.chunk = append(l.chunk, buyer)
	if len(l.chunk) < listChunk {
		return nil
	}
	return l.flush(ctx)
}

func (l *listLoader) flush(ctx context.Context) error {
	if len(l.chunk) == 0 {
		return nil
	}
	err := l.redis.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Sadd().Key(l.key).Member(l.chunk...).Build()
	}).Error()
	l.chunk = l.chunk[:0]
	faults.Point("list.chunk-loaded")
	return err
}
