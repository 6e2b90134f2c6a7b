package reserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"flashsale/faults"
	"flashsale/sale"
)

// Catalogue is what the control role reads of the database.
type Catalogue interface {
	Changes(ctx context.Context, since int64) (sale.Changes, error)
	EachListed(ctx context.Context, saleID string, each func(buyer string) error) error
}

// KeeperOptions are the parts of a Keeper.
type KeeperOptions struct {
	Redis     *Redis
	Rebuilder *Rebuilder
	Catalogue Catalogue
	Books     Books
	Units     UnitBooks
	Leases    Leases
	Holder    string
	Log       *slog.Logger
}

// Times of the keeper.
const (
	keeperEvery   = 100 * time.Millisecond
	watchEvery    = time.Second
	mendRetry     = time.Second
	mendTimeout   = 10 * time.Minute
	mendParallel  = 4 // sales at once
	keeperTimeout = 5 * time.Second
	relayAfterEnd = 10 * time.Second // a sale that ended this long ago takes nothing more
)

// Keeper is the control role: it notices buckets that are not open, and servers that lost the reserve script, and has
// them rebuilt; and it gives every bucket its sale's newest window, also when the operator's process died half-way.
type Keeper struct {
	KeeperOptions
	view     *view
	watchdog *watchdog
	clock    *clock

	mu      sync.Mutex
	mending map[string]time.Time // sales in work (zero), or the moment from which they may be tried again
	places  chan struct{}
	mends   sync.WaitGroup
	probed  bool // every bucket has been asked once since the start
}

// NewKeeper returns a keeper; Run does its work.
func NewKeeper(o KeeperOptions) *Keeper {
	v := newView()
	return &Keeper{
		KeeperOptions: o, view: v, watchdog: newWatchdog(o.Redis, o.Units, o.Log, v.hasWindow), clock: newClock(nil),
		mending: map[string]time.Time{}, places: make(chan struct{}, mendParallel),
	}
}

// Watched returns the buckets that may have a journal, for the relay of the same process.
func (k *Keeper) Watched(now time.Time) []Watched { return k.view.watched(now) }

// Run keeps until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.mends.Wait()
	var watch time.Time
	var complained time.Time
	for ctx.Err() == nil {
		err := k.follow(ctx)
		if err == nil && time.Since(watch) >= watchEvery {
			watch = time.Now()
			err = k.watch(ctx)
		}
		if err != nil && ctx.Err() == nil && time.Since(complained) >= watchEvery {
			complained = time.Now()
			k.Log.Warn("the control role cannot do its work", "error", err)
		}
		k.mendBroken(ctx)
		pause(ctx, keeperEvery)
	}
	return nil
}

// follow reads what changed in the catalogue, and gives changed sales' windows to their buckets.
func (k *Keeper) follow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keeperTimeout)
	defer cancel()
	changes, err := k.Catalogue.Changes(ctx, k.view.since())
	if err != nil {
		return fmt.Errorf("read the catalogue's changes: %w", err)
	}
	k.view.update(changes)
	for _, s := range k.view.unapplied() {
		_, buckets := k.view.saleOf(s.ID)
		if err := k.Redis.ApplyWindow(ctx, buckets, sale.WindowOf(&s)); err != nil {
			return fmt.Errorf("sale %s: %w", s.ID, err)
		}
		faults.Point("keeper.window-applied")
		k.view.applied(s.ID, s.Version)
	}
	return nil
}

// watch looks, once a second, for servers without the reserve script, at the start and then for any doubt about any bucket,
// and for buckets that went back. Buckets in doubt are closed in the database; follow then sees them.
func (k *Keeper) watch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keeperTimeout)
	defer cancel()
	if err := k.Redis.owner.check(); err != nil {
		return err
	}
	lacks, err := k.Redis.lacksScript(ctx)
	if err != nil {
		return err
	}
	if lacks || !k.probed {
		if err := k.probe(ctx); err != nil {
			return err
		}
	}
	moving, err := k.moving(ctx)
	if err != nil {
		return err
	}
	doubted, err := k.watchdog.round(ctx, moving)
	if err != nil {
		return err
	}
	return k.close(ctx, doubted)
}

// moving returns the buckets that may be selling by now, by the clock that they sell by.
func (k *Keeper) moving(ctx context.Context) ([]sale.Bucket, error) {
	if err := k.clock.poll(ctx, k.Redis); err != nil {
		return nil, fmt.Errorf("read redis's clock: %w", err)
	}
	now, _ := k.clock.now()
	return k.view.moving(now), nil
}

// probe asks the reserve script about every bucket.
func (k *Keeper) probe(ctx context.Context) error {
	rows := k.view.open()
	doubted, reasons, err := k.Redis.doubted(ctx, rows)
	if err != nil {
		return err
	}
	for i, row := range doubted {
		k.Log.Warn("a bucket is in doubt", "bucket", row.Bucket.String(), "epoch", row.Epoch, "reason", reasons[i])
	}
	if err := k.close(ctx, doubted); err != nil {
		return err
	}
	k.probed = true
	return nil
}

func (k *Keeper) close(ctx context.Context, doubted []sale.BucketRow) error {
	if len(doubted) == 0 {
		return nil
	}
	if _, err := k.Books.CloseBuckets(ctx, doubted); err != nil {
		return fmt.Errorf("close %d buckets in doubt: %w", len(doubted), err)
	}
	faults.Point("keeper.doubted-closed")
	return nil
}

// mendBroken begins to rebuild the buckets that are not open, a few sales at a time.
func (k *Keeper) mendBroken(ctx context.Context) {
	for id, rows := range k.view.broken() {
		if !k.claim(id) {
			continue
		}
		k.mends.Go(func() {
			err := k.mend(ctx, id, rows)
			if err != nil && ctx.Err() == nil && !errors.Is(err, sale.ErrLeaseHeld) {
				k.Log.Warn("a sale's buckets could not be rebuilt", "sale", id, "buckets", len(rows), "error", err)
			}
			k.unclaim(id, err)
		})
	}
}

// claim takes a sale into work when a place is free and it is not in work or resting.
func (k *Keeper) claim(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	again, known := k.mending[id]
	if known && (again.IsZero() || time.Now().Before(again)) {
		return false
	}
	select {
	case k.places <- struct{}{}:
		k.mending[id] = time.Time{}
		return true
	default:
		return false
	}
}

// unclaim ends the work. A sale rests before the next try, so that the view has caught up with what was done.
func (k *Keeper) unclaim(id string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	<-k.places
	rest := 2 * keeperEvery
	if err != nil {
		rest = mendRetry
	}
	k.mending[id] = time.Now().Add(rest)
}

// mend rebuilds some buckets of one sale under its lease: its list first, because a listed sale does not sell without.
func (k *Keeper) mend(ctx context.Context, id string, rows []sale.BucketRow) error {
	ctx, cancel := context.WithTimeout(ctx, mendTimeout)
	defer cancel()
	return underLease(ctx, k.Leases, "sale/"+id, k.Holder, k.Log, func(ctx context.Context) error {
		s, _ := k.view.saleOf(id)
		if err := k.ensureList(ctx, s); err != nil {
			return err
		}
		began := time.Now()
		if err := k.Rebuilder.Rebuild(ctx, rows, nil); err != nil {
			return err
		}
		k.Log.Info("buckets were rebuilt", "sale", id, "buckets", len(rows), "seconds", time.Since(began).Seconds())
		s, buckets := k.view.saleOf(id)
		return k.Redis.ApplyWindow(ctx, buckets, sale.WindowOf(&s))
	})
}

// ensureList brings a listed sale's list into Redis when it is not whole there.
func (k *Keeper) ensureList(ctx context.Context, s sale.Sale) error {
	if s.Eligibility != sale.EligibilityList || s.ListVersion == 0 {
		return nil
	}
	whole, err := k.Redis.HasList(ctx, s.ID, s.ListVersion, s.ListSize)
	if err != nil || whole {
		return err
	}
	return k.Redis.LoadList(ctx, s.ID, s.ListVersion, s.ListSize, func(add func(string) error) error {
		return k.Catalogue.EachListed(ctx, s.ID, add)
	})
}
