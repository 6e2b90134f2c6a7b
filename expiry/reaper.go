package expiry

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/faults"
	"flashsale/lease"
	"flashsale/role"
)

// Unpaid is the part of the database that expiry needs.
type Unpaid interface {
	// ExpireOrders expires at most limit confirmed orders whose payment time is over, returns their units, and reports
	// how many it expired. A payment that commits first wins.
	ExpireOrders(ctx context.Context, limit int) (int, error)
}

// Bounds of the reaper. A page is one transaction or a few; 100,000 due orders are a hundred pages.
const (
	reaperPage  = 1000
	reaperEvery = 250 * time.Millisecond
	// pageTimeout bounds a page; a page that hangs is cancelled and repeated.
	pageTimeout = 6 * time.Second
	// drainTimeout bounds the running page when the process is told to end.
	drainTimeout = 5 * time.Second
)

// ReaperOptions are the parts of a Reaper.
type ReaperOptions struct {
	Orders     Unpaid
	Leases     lease.Leases
	Owner      string // names this process in the lease
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Reaper expires unpaid orders. One process at a time does it; two would only wait for each other's locks.
type Reaper struct {
	ReaperOptions
	expired prometheus.Counter
}

// NewReaper registers the metrics and returns a reaper; Run does its work.
func NewReaper(o ReaperOptions) (*Reaper, error) {
	r := &Reaper{ReaperOptions: o, expired: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "flashsale_orders_expired_total",
		Help: "Orders ended by this process because they were not paid in time.",
	})}
	if err := o.Registerer.Register(r.expired); err != nil {
		return nil, fmt.Errorf("register the metrics of expiry: %w", err)
	}
	return r, nil
}

// Run expires orders until ctx ends. A page that is running then may take up to drainTimeout; every page can be
// repeated.
func (r *Reaper) Run(ctx context.Context) {
	more := false
	own := &lease.Lease{Leases: r.Leases, Name: lease.Expiry, Owner: r.Owner, Log: r.Log}
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

// page is one unit of work; a full page means that more orders may be due.
func (r *Reaper) page(ctx context.Context) (more bool, err error) {
	n, err := r.Orders.ExpireOrders(ctx, reaperPage)
	if err != nil {
		return false, fmt.Errorf("expire orders: %w", err)
	}
	faults.Point("expiry.page-expired")
	r.expired.Add(float64(n))
	return n >= reaperPage, nil
}
