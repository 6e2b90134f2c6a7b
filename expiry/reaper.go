package expiry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/faults"
	"flashsale/lease"
	"flashsale/role"
	"flashsale/sale"
)

// Unpaid is the part of the database that expiry needs.
type Unpaid interface {
	// ExpireOrders expires at most limit confirmed orders whose payment time is over, returns their units, and reports
	// how many it expired. A payment that commits first wins. No order of a frozen sale expires. With a positive freezeAfter
	// it freezes a sale for which no payment came for so long, though some came before, and expires none of its orders.
	ExpireOrders(ctx context.Context, limit int, freezeAfter time.Duration) (sale.Expiry, error)
	// Thaws returns the thaws that are under way and began at least a time ago.
	Thaws(ctx context.Context, began time.Duration) ([]sale.Thaw, error)
	// ThawOrders moves the next orders of a thaw, or ends it, and returns its progress.
	ThawOrders(ctx context.Context, thaw sale.Thaw) (sale.Thaw, error)
	// UnpaidOrders counts the confirmed orders of every sale whose payment time ends. It reads all of them.
	UnpaidOrders(ctx context.Context) ([]sale.UnpaidOrders, error)
}

// Bounds of the reaper. A page is one transaction or a few; 100,000 due orders are a hundred pages.
const (
	reaperPage  = 1000
	reaperEvery = 250 * time.Millisecond
	// thawsEvery is how often the reaper looks for thaws that nobody ends: those that began thawAfter ago. The request that
	// began a thaw goes on with it; while both do, they wait for each other's locks.
	thawsEvery = time.Second
	thawAfter  = 10 * time.Second
	// pageTimeout bounds a page; a page that hangs is cancelled and repeated.
	pageTimeout = 6 * time.Second
	// drainTimeout bounds the running page when the process is told to end.
	drainTimeout = 5 * time.Second
)

// ReaperOptions are the parts of a Reaper.
type ReaperOptions struct {
	Orders Unpaid
	Leases lease.Leases
	Owner  string // names this process in the lease
	// FreezeAfter is how long no payment of a sale comes, though some came before, until the sale is frozen in place of the
	// expiry of its orders; 0: never.
	FreezeAfter time.Duration
	Registerer  prometheus.Registerer
	Log         *slog.Logger
}

// Reaper expires unpaid orders, and ends thaws whose requests have ended. One process at a time does it; two would only wait
// for each other's locks.
type Reaper struct {
	ReaperOptions
	expired prometheus.Counter
	backlog *backlog

	// Of Run alone.
	thaws    []sale.Thaw // under way
	lookedAt time.Time   // for them
}

// NewReaper registers the metrics and returns a reaper; Run does its work.
func NewReaper(o ReaperOptions) (*Reaper, error) {
	r := &Reaper{ReaperOptions: o, backlog: newBacklog(), expired: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "flashsale_orders_expired_total",
		Help: "Orders ended by this process because they were not paid in time.",
	})}
	for _, c := range []prometheus.Collector{r.expired, r.backlog} {
		if err := o.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of expiry: %w", err)
		}
	}
	return r, nil
}

// Run expires orders until ctx ends. A page that is running then may take up to drainTimeout; every page can be
// repeated.
func (r *Reaper) Run(ctx context.Context) {
	var counting sync.WaitGroup
	counting.Go(func() { r.count(ctx) })
	defer counting.Wait()
	more := false
	own := &lease.Lease{Leases: r.Leases, Name: lease.Expiry, Owner: r.Owner, Log: r.Log, Owned: r.backlog.own}
	own.Serve(ctx, role.Loop{
		Name: "expiry", Failing: "unpaid orders could not be expired and will be", Log: r.Log,
		Unit: func(ctx context.Context) (err error) { more, err = r.page(ctx); return err },
		Rest: func(time.Duration) time.Duration {
			if more {
				return 0
			}
			return reaperEvery
		},
		Retry: role.Backoff, Limit: pageTimeout, Linger: drainTimeout,
	})
}

// count counts the backlog from time to time while this process has the lease.
func (r *Reaper) count(ctx context.Context) {
	counting := role.Loop{
		Name: "unpaid orders", Failing: "the unpaid orders could not be counted", Log: r.Log, Limit: countTimeout,
		Unit: func(ctx context.Context) error { return r.backlog.read(ctx, r.Orders) },
		Rest: func(took time.Duration) time.Duration { return max(countEvery, countShare*took) },
	}
	counting.Run(ctx)
}

// page is one unit of work; a full page means that more orders may be due. A failure of the one part does not delay the other.
func (r *Reaper) page(ctx context.Context) (more bool, err error) {
	full, failed := r.expire(ctx)
	moving, err := r.thaw(ctx)
	return full || moving, errors.Join(failed, err)
}

func (r *Reaper) expire(ctx context.Context) (more bool, err error) {
	done, err := r.Orders.ExpireOrders(ctx, reaperPage, r.FreezeAfter)
	for _, id := range done.Frozen {
		r.Log.Warn("holds frozen: orders fall due and no payment comes any more; thaw them once payments work", "sale", id,
			"freeze_after", r.FreezeAfter)
	}
	if err != nil {
		return false, fmt.Errorf("expire orders: %w", err)
	}
	faults.Point("expiry.page-expired")
	r.expired.Add(float64(done.Orders))
	return done.Orders >= reaperPage, nil
}

// thaw moves the next page of the first thaw, if there is one.
func (r *Reaper) thaw(ctx context.Context) (more bool, err error) {
	if len(r.thaws) == 0 && time.Since(r.lookedAt) >= thawsEvery {
		r.lookedAt = time.Now()
		if r.thaws, err = r.Orders.Thaws(ctx, thawAfter); err != nil {
			return false, err
		}
	}
	if len(r.thaws) == 0 {
		return false, nil
	}
	next, err := r.Orders.ThawOrders(ctx, r.thaws[0])
	if err != nil {
		r.thaws = nil // the next look finds what is left
		return false, err
	}
	faults.Point("expiry.thaw-continued")
	if r.thaws[0] = next; next.Done {
		r.thaws = r.thaws[1:]
		r.Log.Info("thaw ended", "sale", next.Sale, "moved_by", next.Shift)
	}
	return len(r.thaws) > 0, nil
}
