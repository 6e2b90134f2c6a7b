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

// Unpaid is the database as expiry needs it.
type Unpaid interface {
	// ExpireOrders ends at most limit confirmed orders whose payment time is over as expired, gives their units back,
	// and returns how many it ended. A payment that commits first wins.
	ExpireOrders(ctx context.Context, limit int) (int, error)
}

// Bounds of the reaper. A page is one transaction or a few; 100,000 orders that are due at once are a hundred pages.
const (
	reaperPage  = 1000
	reaperEvery = 250 * time.Millisecond
	// pageTimeout bounds a page: what hangs is given up and done again.
	pageTimeout = 6 * time.Second
	// drainTimeout bounds the page that is under way when the process is asked to end.
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

// Reaper ends unpaid orders when their time is over. One process at a time does it; two would only wait for each other's
// locks.
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

// Run reaps until ctx ends. A page that has begun then may go on for drainTimeout: each can be repeated.
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

// page is one unit of work; a full page means that more may be due.
func (r *Reaper) page(ctx context.Context) (more bool, err error) {
	n, err := r.Orders.ExpireOrders(ctx, reaperPage)
	if err != nil {
		return false, fmt.Errorf("expire orders: %w", err)
	}
	faults.Point("expiry.page-expired")
	r.expired.Add(float64(n))
	return n >= reaperPage, nil
}
