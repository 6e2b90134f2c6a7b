package recovery

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"flashsale/faults"
	"flashsale/lease"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/tracing"
)

// Catalogue is what the controller reads of the database.
type Catalogue interface {
	Changes(ctx context.Context, since int64) (sale.Changes, error)
	EachListed(ctx context.Context, saleID string, each func(buyer string) error) error
}

// ControllerOptions are the parts of a Controller.
type ControllerOptions struct {
	Redis     *scripts.Redis
	Rebuilder *Rebuilder
	Catalogue Catalogue
	Buckets   Buckets
	Units     BucketReader
	Leases    lease.Leases
	Owner     string          // of leases, unique to this process
	Tracer    *tracing.Tracer // nil: no spans
	Log       *slog.Logger
}

// Times and bounds of the controller.
const (
	controlEvery    = 100 * time.Millisecond
	watchEvery      = time.Second
	rebuildPause    = time.Second
	rebuildTimeout  = 10 * time.Minute
	rebuildParallel = 4 // sales at once
	controlTimeout  = 5 * time.Second
	relayAfterEnd   = 10 * time.Second // so long after its end no call of a sale can take units any more
)

// Controller finds buckets that are not open, servers that lost the reserve script and buckets that lost writes, and has them
// rebuilt. It also gives every bucket the newest window of its sale, also when the operator's process died before all buckets
// had it.
type Controller struct {
	ControllerOptions
	view     *view
	watchdog *watchdog
	clock    *scripts.Clock
	watched  time.Time // when watch ran last

	mu         sync.Mutex
	rebuilding map[string]time.Time // sales that are being rebuilt (zero), or the moment from which a sale may be rebuilt again
	slots      chan struct{}
	rebuilds   sync.WaitGroup
	probed     bool // every open bucket has been asked once since the start
}

// NewController returns a controller; Run does its work.
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

// readChanges reads the changes of the catalogue, and gives the windows of changed sales to their buckets.
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
		faults.Point("controller.window-applied")
		c.view.applied(s.ID, s.Version)
	}
	return nil
}

// watch looks, once a second, for servers without the reserve script and for buckets that lost writes, and after the start once
// for any doubt about any bucket. It closes the buckets in doubt in the database; readChanges then finds them.
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

// moving returns the buckets that may sell by now, by Redis's clock.
func (c *Controller) moving(ctx context.Context) ([]sale.Bucket, error) {
	if err := c.clock.Poll(ctx, c.Redis); err != nil {
		return nil, fmt.Errorf("read redis's clock: %w", err)
	}
	now, _ := c.clock.Now()
	return c.view.moving(now), nil
}

// probe asks the reserve script about every open bucket, and closes the buckets in doubt.
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
	faults.Point("controller.doubted-closed")
	return nil
}
