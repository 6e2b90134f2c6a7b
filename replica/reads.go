package replica

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
)

// Orders reads order rows, and orders in waiting dead letters.
type Orders interface {
	Orders(ctx context.Context, ids []sale.OrderID) ([]sale.Order, error)
	BuyerOrders(ctx context.Context, saleID, sku, buyer string, after sale.OrderID, limit int) ([]sale.Order, error)
}

// replicaTimeout bounds a question to the replica, so that one that hangs leaves time to ask the primary.
const replicaTimeout = 250 * time.Millisecond

// Options are the parts of Reads.
type Options struct {
	Primary, Replica Orders
	Lag              *Lag
	MaxLag           time.Duration // a replica that may lack more is not used
	Registerer       prometheus.Registerer
	Log              *slog.Logger
}

// Reads reads orders for buyers: from the replica where that is safe, else from the primary. It remembers what the primary has
// shown, and asks there again where the replica's answer is older, so that for one gateway's buyers no order disappears and no
// status goes back. A replica that itself goes back in time is not used from the next look on, until it has caught up.
//
// MaxLag and replicaTimeout are long enough to remember. The replica is asked at a moment m only if it has everything that was
// committed before m - MaxLag. So a version that it lacks was committed later, and the primary has shown it later still. The
// answer is compared by m + replicaTimeout, or not used: the primary had shown that version less than MaxLag + replicaTimeout
// before, so it is still remembered.
type Reads struct {
	Options
	recent  *recent
	metrics *metrics
}

// NewReads returns a Reads. Lag has to run.
func NewReads(o Options) (*Reads, error) {
	r := &Reads{Options: o, recent: newRecent(o.MaxLag + replicaTimeout)}
	r.metrics = newMetrics(r)
	if err := o.Registerer.Register(r.metrics); err != nil {
		return nil, err
	}
	return r, nil
}

// inTime reports whether what was remembered at a moment of usable is still so.
func inTime(since time.Time) bool { return time.Since(since) <= replicaTimeout }

// usable reports whether the replica may be asked now.
func (r *Reads) usable() bool {
	behind, known := r.Lag.Behind()
	return known && behind < r.MaxLag && !r.recent.full()
}

// Orders returns those of the orders that exist, sorted by id. The primary is asked for those that the replica does not find, and
// for those of which it has an older version than the primary has shown.
func (r *Reads) Orders(ctx context.Context, ids []sale.OrderID) ([]sale.Order, error) {
	var found []sale.Order
	rest, began := ids, time.Now()
	if r.usable() {
		found = r.fromReplica(ctx, func(ctx context.Context) ([]sale.Order, error) { return r.Replica.Orders(ctx, ids) })
		if found = r.recent.fresh(found); !inTime(began) {
			found = nil
		}
		rest = missing(ids, found)
	}
	if len(rest) == 0 {
		return found, nil
	}
	shown, err := r.fromPrimary(func() ([]sale.Order, error) { return r.Primary.Orders(ctx, rest) })
	if err != nil {
		return nil, err
	}
	found = append(found, shown...)
	slices.SortFunc(found, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return found, nil
}

// missing returns the ids that no order has.
func missing(ids []sale.OrderID, found []sale.Order) (rest []sale.OrderID) {
	there := make(map[sale.OrderID]struct{}, len(found))
	for i := range found {
		there[found[i].OrderID] = struct{}{}
	}
	for _, id := range ids {
		if _, is := there[id]; !is {
			rest = append(rest, id)
		}
	}
	return rest
}

// BuyerOrders returns a buyer's orders. A list of the replica's may lack what was committed within MaxLag and not shown yet; the
// caller adds what Redis has. The primary is asked for an empty list, and for one that is older than what it has shown.
func (r *Reads) BuyerOrders(
	ctx context.Context, saleID, sku, buyer string, after sale.OrderID, limit int,
) ([]sale.Order, error) {
	began := time.Now()
	if r.usable() {
		found := r.fromReplica(ctx, func(ctx context.Context) ([]sale.Order, error) {
			return r.Replica.BuyerOrders(ctx, saleID, sku, buyer, after, limit)
		})
		if len(found) > 0 && r.recent.complete(buyer, found) && inTime(began) {
			return found, nil
		}
	}
	return r.fromPrimary(func() ([]sale.Order, error) {
		return r.Primary.BuyerOrders(ctx, saleID, sku, buyer, after, limit)
	})
}

// fromReplica returns nothing when the replica fails; the caller then asks the primary. Lag reports a replica that is away; one
// that follows may still refuse or miss questions about orders.
func (r *Reads) fromReplica(ctx context.Context, ask func(context.Context) ([]sale.Order, error)) []sale.Order {
	limited, cancel := context.WithTimeout(ctx, replicaTimeout)
	defer cancel()
	found, err := ask(limited)
	switch {
	case err == nil:
		r.metrics.replica.Inc()
		return found
	case ctx.Err() == nil: // otherwise the buyer has left
		r.metrics.failed.Inc()
		r.Log.Warn("the replica of mysql.read_dsn did not answer a question about orders, so the primary was asked",
			"error", cause(err))
	}
	return nil
}

// cause returns what the server or the driver said, without the words around it, which may name a buyer.
func cause(err error) error {
	for {
		within := errors.Unwrap(err)
		if within == nil {
			return err
		}
		err = within
	}
}

func (r *Reads) fromPrimary(ask func() ([]sale.Order, error)) ([]sale.Order, error) {
	r.metrics.primary.Inc()
	asked := time.Now()
	found, err := ask()
	for i := range found {
		r.recent.shown(&found[i], asked)
	}
	return found, err
}

// Cancels changes orders at the primary.
type Cancels interface {
	CancelOrder(ctx context.Context, id sale.OrderID, reason sale.OrderReason, buyer string) (sale.Order, error)
}

// CancelsSeen is Cancels, whose results are remembered as what the primary has shown.
type CancelsSeen struct {
	Cancels
	Reads *Reads
}

// CancelOrder implements Cancels.
func (c CancelsSeen) CancelOrder(
	ctx context.Context, id sale.OrderID, reason sale.OrderReason, buyer string,
) (sale.Order, error) {
	asked := time.Now()
	order, err := c.Cancels.CancelOrder(ctx, id, reason, buyer)
	if err != nil {
		c.Reads.recent.changed(id, buyer) // the commit may have happened
		return order, err
	}
	c.Reads.recent.shown(&order, asked)
	return order, nil
}
