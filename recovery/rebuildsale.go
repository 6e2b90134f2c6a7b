package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flashsale/lease"
	"flashsale/sale"
)

// rebuildClosed begins to rebuild the buckets that are not open, a few sales at a time.
func (c *Controller) rebuildClosed(ctx context.Context) {
	for id, rows := range c.view.broken() {
		if !c.claim(id) {
			continue
		}
		c.rebuilds.Go(func() {
			err := c.rebuildSale(ctx, id, rows)
			if err != nil && ctx.Err() == nil && !errors.Is(err, sale.ErrLeaseHeld) {
				c.Log.Warn("a sale's buckets could not be rebuilt", "sale", id, "buckets", len(rows), "error", err)
			}
			c.unclaim(id, err)
		})
	}
}

// claim reserves a slot for a sale. It returns false when no slot is free, or the sale is being rebuilt or rests.
func (c *Controller) claim(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	again, known := c.rebuilding[id]
	if known && (again.IsZero() || time.Now().Before(again)) {
		return false
	}
	select {
	case c.slots <- struct{}{}:
		c.rebuilding[id] = time.Time{}
		return true
	default:
		return false
	}
}

// unclaim frees the slot. The sale rests before the next attempt, so that the view contains the effects of this one.
func (c *Controller) unclaim(id string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	<-c.slots
	rest := 2 * controlEvery
	if err != nil {
		rest = rebuildPause
	}
	c.rebuilding[id] = time.Now().Add(rest)
}

// rebuildSale rebuilds some buckets of one sale under its lease. It loads the sale's list first, because a listed sale does not
// sell without it.
func (c *Controller) rebuildSale(ctx context.Context, id string, rows []sale.BucketRow) error {
	ctx, cancel := context.WithTimeout(ctx, rebuildTimeout)
	defer cancel()
	one := lease.Lease{Leases: c.Leases, Name: lease.Sale(id), Owner: c.Owner, Log: c.Log}
	return one.Do(ctx, func(ctx context.Context) error {
		rows, err := c.stillShut(ctx, rows)
		if err != nil || len(rows) == 0 {
			return err
		}
		s, _ := c.view.saleOf(id)
		if err := c.ensureList(ctx, s); err != nil {
			return err
		}
		began := time.Now()
		ctx, span := c.Tracer.Unit(ctx, "rebuild")
		span.Text("flashsale.sale", id)
		span.Number("flashsale.buckets", int64(len(rows)))
		defer span.End()
		if err := c.Rebuilder.Rebuild(ctx, rows, nil); err != nil {
			span.FailWith(err)
			return err
		}
		c.Log.Info("buckets were rebuilt", "sale", id, "buckets", len(rows), "seconds", time.Since(began).Seconds())
		s, buckets := c.view.saleOf(id)
		return c.Redis.ApplyWindow(ctx, buckets, sale.WindowOf(&s))
	})
}

// stillShut reads rows again, under the sale's lease, and returns those that a rebuild may load. The view is as old as its last
// reading: another process may have opened a bucket since, and this one may have stood still meanwhile. A rebuild would close a
// healthy bucket.
func (c *Controller) stillShut(ctx context.Context, rows []sale.BucketRow) ([]sale.BucketRow, error) {
	counters, err := c.Units.BucketCounters(ctx, sale.BucketsOf(rows))
	if err != nil {
		return nil, fmt.Errorf("read %d buckets again: %w", len(rows), err)
	}
	var shut []sale.BucketRow
	for i := range counters {
		if counters[i].State.MayLoad() {
			shut = append(shut, counters[i].BucketRow)
		}
	}
	return shut, nil
}

// ensureList loads a listed sale's list into Redis when Redis does not have the whole list.
func (c *Controller) ensureList(ctx context.Context, s sale.Sale) error {
	if s.Eligibility != sale.EligibilityList || s.ListVersion == 0 {
		return nil
	}
	whole, err := c.Redis.HasList(ctx, s.ID, s.ListVersion, s.ListSize)
	if err != nil || whole {
		return err
	}
	return c.Redis.LoadList(ctx, s.ID, s.ListVersion, s.ListSize, func(add func(string) error) error {
		return c.Catalogue.EachListed(ctx, s.ID, add)
	})
}
