package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"flashsale/faults"
	"flashsale/lease"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
)

// Catalogue is what the control role reads of the database.
type Catalogue interface {
	Changes(ctx context.Context, since int64) (sale.Changes, error)
	EachListed(ctx context.Context, saleID string, each func(buyer string) error) error
}

// KeeperOptions are the parts of a Keeper.
type ControllerOptions struct {
	Redis     *scripts.Redis
	Rebuilder *Rebuilder
	Catalogue Catalogue
	Buckets   Buckets
	Units     BucketReader
	Leases    lease.Leases
	Owner     string // of leases: this process and no other
	Log       *slog.Logger
}

// Times of the keeper.
const (
	controlEvery    = 100 * time.Millisecond
	watchEvery      = time.Second
	rebuildPause    = time.Second
	rebuildTimeout  = 10 * time.Minute
	rebuildParallel = 4 // sales at once
	controlTimeout  = 5 * time.Second
	relayAfterEnd   = 10 * time.Second // a sale that ended this long ago takes nothing more
)

// Keeper is the control role: it notices buckets that are not open, and servers that lost the reserve script, and has
// them rebuilt; and it gives every bucket its sale's newest window, also when the operator's process died half-way.
type Controller struct {
	ControllerOptions
	view     *view
	watchdog *watchdog
	clock    *scripts.Clock
	watched  time.Time // when Run has last looked for doubts

	mu         sync.Mutex
	rebuilding map[string]time.Time // sales in work (zero), or the moment from which they may be tried again
	slots      chan struct{}
	rebuilds   sync.WaitGroup
	probed     bool // every bucket has been asked once since the start
}

// NewKeeper returns a keeper; Run does its work.
func NewController(o ControllerOptions) *Controller {
	v := newView()
	return &Controller{
		ControllerOptions: o, view: v, watchdog: newWatchdog(o.Redis, o.Units, o.Log, v.hasWindow), clock: scripts.NewClock(nil),
		rebuilding: map[string]time.Time{}, slots: make(chan struct{}, rebuildParallel),
	}
}

// Watched returns the buckets that may have a journal, for the relay of the same process.
func (c *Controller) Watched(now time.Time) []Watched { return c.view.watched(now) }

// Run does the controller's work until ctx ends.
func (c *Controller) Run(ctx context.Context) {
	defer c.rebuilds.Wait()
	loop := role.Loop{
		Name: "controller", Unit: c.control, Every: controlEvery, Failing: "the control role cannot do its work", Log: c.Log,
	}
	loop.Run(ctx)
}

// control is one unit of work.
func (c *Controller) control(ctx context.Context) error {
	err := c.readChanges(ctx)
	if err == nil && time.Since(c.watched) >= watchEvery {
		c.watched = time.Now()
		err = c.watch(ctx)
	}
	c.rebuildClosed(ctx)
	return err
}

// readChanges reads what changed in the catalogue, and gives changed sales' windows to their buckets.
func (c *Controller) readChanges(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	changes, err := c.Catalogue.Changes(ctx, c.view.since())
	if err != nil {
		return fmt.Errorf("read the catalogue's changes: %w", err)
	}
	c.view.update(changes)
	for _, s := range c.view.unapplied() {
		_, buckets := c.view.saleOf(s.ID)
		if err := c.Redis.ApplyWindow(ctx, buckets, sale.WindowOf(&s)); err != nil {
			return fmt.Errorf("sale %s: %w", s.ID, err)
		}
		faults.Point("keeper.window-applied")
		c.view.applied(s.ID, s.Version)
	}
	return nil
}

// watch looks, once a second, for servers without the reserve script, at the start and then for any doubt about any bucket,
// and for buckets that went back. Buckets in doubt are closed in the database; follow then sees them.
func (c *Controller) watch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	if err := c.Redis.Doubt(); err != nil {
		return err
	}
	lacks, err := c.Redis.LacksScript(ctx)
	if err != nil {
		return err
	}
	if lacks || !c.probed {
		if err := c.probe(ctx); err != nil {
			return err
		}
	}
	moving, err := c.moving(ctx)
	if err != nil {
		return err
	}
	doubted, err := c.watchdog.round(ctx, moving)
	if err != nil {
		return err
	}
	return c.close(ctx, doubted)
}

// moving returns the buckets that may be selling by now, by the clock that they sell by.
func (c *Controller) moving(ctx context.Context) ([]sale.Bucket, error) {
	if err := c.clock.Poll(ctx, c.Redis); err != nil {
		return nil, fmt.Errorf("read redis's clock: %w", err)
	}
	now, _ := c.clock.Now()
	return c.view.moving(now), nil
}

// probe asks the reserve script about every bucket.
func (c *Controller) probe(ctx context.Context) error {
	rows := c.view.open()
	doubted, reasons, err := c.Redis.Doubted(ctx, rows)
	if err != nil {
		return err
	}
	for i, row := range doubted {
		c.Log.Warn("a bucket is in doubt", "bucket", row.Bucket.String(), "epoch", row.Epoch, "reason", reasons[i])
	}
	if err := c.close(ctx, doubted); err != nil {
		return err
	}
	c.probed = true
	return nil
}

func (c *Controller) close(ctx context.Context, doubted []sale.BucketRow) error {
	if len(doubted) == 0 {
		return nil
	}
	if _, err := c.Buckets.CloseBuckets(ctx, doubted); err != nil {
		return fmt.Errorf("close %d buckets in doubt: %w", len(doubted), err)
	}
	faults.Point("keeper.doubted-closed")
	return nil
}

// mendBroken begins to rebuild the buckets that are not open, a few sales at a time.
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

// claim takes a sale into work when a place is free and it is not in work or resting.
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

// unclaim ends the work. A sale rests before the next try, so that the view has caught up with what was done.
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

// mend rebuilds some buckets of one sale under its lease: its list first, because a listed sale does not sell without.
func (c *Controller) rebuildSale(ctx context.Context, id string, rows []sale.BucketRow) error {
	ctx, cancel := context.WithTimeout(ctx, rebuildTimeout)
	defer cancel()
	one := lease.Lease{Leases: c.Leases, Name: lease.Sale(id), Owner: c.Owner, Log: c.Log}
	return one.Do(ctx, func(ctx context.Context) error {
		s, _ := c.view.saleOf(id)
		if err := c.ensureList(ctx, s); err != nil {
			return err
		}
		began := time.Now()
		if err := c.Rebuilder.Rebuild(ctx, rows, nil); err != nil {
			return err
		}
		c.Log.Info("buckets were rebuilt", "sale", id, "buckets", len(rows), "seconds", time.Since(began).Seconds())
		s, buckets := c.view.saleOf(id)
		return c.Redis.ApplyWindow(ctx, buckets, sale.WindowOf(&s))
	})
}

// ensureList brings a listed sale's list into Redis when it is not whole there.
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
