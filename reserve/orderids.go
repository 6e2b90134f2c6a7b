package reserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"flashsale/faults"
	"flashsale/role"
	"flashsale/sale"
)

// NodeLeases leases node ids for order ids. A lease and its high-water mark are a row of the database.
type NodeLeases interface {
	LeaseNode(ctx context.Context, holder string, ttl time.Duration) (sale.NodeLease, error)
	RenewNode(ctx context.Context, lease sale.NodeLease, highWaterMS int64, ttl time.Duration) error
}

// Times of a node lease. The lease is long, so that sales continue while the database is away. The mark reaches as far as the
// lease, so the next owner of the node id starts after every id that this process could have made.
const (
	nodeLeaseTTL    = 10 * time.Minute
	nodeRenewEvery  = 10 * time.Second
	nodeLeaseMargin = 30 * time.Second // it is given up so long before its end: clocks of two machines differ
	nodeRetry       = time.Second
	nodeCallTimeout = 5 * time.Second
)

// ErrNoLease is the error of work that needs an order id while there is no lease, and no attempt to get one has failed.
var ErrNoLease = errors.New("no valid lease of a node id")

// OrderIDs makes Snowflake ids from a leased node id. Without a valid lease there are none, and nothing is sold.
type OrderIDs struct {
	leases NodeLeases
	holder string
	log    *slog.Logger
	lease  atomic.Pointer[nodeInUse]
	found  atomic.Pointer[error] // error of the last attempt that failed
}

// nodeInUse is a leased node id and the moment, on the monotonic clock, until which it may be used.
type nodeInUse struct {
	sale.NodeLease
	generator *sale.OrderIDNode
	born      time.Time // when the generator was made: ids count from there, also when the wall clock is set
	until     time.Time
}

// mark is the high-water mark above every id that can be made until the end of a lease that was asked for at a moment.
func (n *nodeInUse) mark(asked time.Time) int64 {
	return n.born.Add(asked.Sub(n.born) + nodeLeaseTTL).UnixMilli()
}

// NewOrderIDs returns a generator without a lease; Run acquires one. holder must be unique to this process and never reused.
func NewOrderIDs(leases NodeLeases, holder string, log *slog.Logger) *OrderIDs {
	return &OrderIDs{leases: leases, holder: holder, log: log}
}

// Check returns why no ids can be made now: the error of the last attempt to get a lease. It returns nil when ids can be made.
func (o *OrderIDs) Check(context.Context) error {
	if o.Ready() {
		return nil
	}
	if found := o.found.Load(); found != nil {
		return *found
	}
	return ErrNoLease
}

// Ready reports whether ids can be made now.
func (o *OrderIDs) Ready() bool {
	node := o.lease.Load()
	return node != nil && time.Now().Before(node.until)
}

// LeaseLeft returns for how long ids can be made without a renewal; 0 without a valid lease.
func (o *OrderIDs) LeaseLeft() time.Duration {
	node := o.lease.Load()
	if node == nil {
		return 0
	}
	return max(0, time.Until(node.until))
}

// Next returns a fresh order id. It returns false without a valid lease.
func (o *OrderIDs) Next() (sale.OrderID, bool) {
	ids, ok := o.Append(nil, 1)
	if !ok {
		return 0, false
	}
	return ids[0], true
}

// Append appends n fresh order ids, each greater than all before it. It returns false without a valid lease. A lease does not
// end while a batch is being made: it is given up nodeLeaseMargin before its end.
func (o *OrderIDs) Append(ids []sale.OrderID, n int) ([]sale.OrderID, bool) {
	node := o.lease.Load()
	if node == nil || !time.Now().Before(node.until) {
		return ids, false
	}
	for range n {
		ids = append(ids, node.generator.Next())
	}
	return ids, true
}

// Run acquires a lease and renews it until ctx ends. It replaces a lost lease by another one.
func (o *OrderIDs) Run(ctx context.Context) {
	loop := role.Loop{
		Name: "order ids", Every: nodeRenewEvery, Retry: func(int) time.Duration { return nodeRetry }, Log: o.log,
		Failing: "the lease of the order id node could not be kept",
		Unit: func(ctx context.Context) error {
			err := o.keep(ctx)
			if err != nil {
				o.found.Store(&err)
			}
			return err
		},
	}
	loop.Run(ctx)
}

// keep is one unit of work: it renews the lease, or acquires one.
func (o *OrderIDs) keep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, nodeCallTimeout)
	defer cancel()
	node := o.lease.Load()
	asked := time.Now()
	if node != nil && asked.Before(node.until) {
		if err := o.leases.RenewNode(ctx, node.NodeLease, node.mark(asked), nodeLeaseTTL); err != nil {
			if errors.Is(err, sale.ErrLeaseHeld) {
				o.lease.Store(nil) // another process makes ids with it
			}
			return fmt.Errorf("renew node %d: %w", node.Node, err)
		}
		o.lease.Store(&nodeInUse{
			NodeLease: node.NodeLease, generator: node.generator, born: node.born, until: usableUntil(asked),
		})
		return nil
	}
	o.lease.Store(nil)
	return o.obtain(ctx)
}

// obtain leases a node id. It uses the id only when the clock has passed the mark of the last owner, and after its own mark is
// stored.
func (o *OrderIDs) obtain(ctx context.Context) error {
	lease, err := o.leases.LeaseNode(ctx, o.holder, nodeLeaseTTL)
	if err != nil {
		return fmt.Errorf("lease a node: %w", err)
	}
	faults.Point("orderids.node-leased")
	asked := time.Now()
	if behind := lease.HighWaterMS - asked.UnixMilli(); behind >= 0 {
		return fmt.Errorf("node %d: ids up to %d ms ahead of this clock were made with it", lease.Node, behind)
	}
	node := &nodeInUse{NodeLease: lease, born: asked, until: usableUntil(asked)}
	if err := o.leases.RenewNode(ctx, lease, node.mark(asked), nodeLeaseTTL); err != nil {
		return fmt.Errorf("store the mark of node %d: %w", lease.Node, err)
	}
	faults.Point("orderids.mark-stored")
	if node.generator, err = sale.NewOrderIDNode(lease.Node); err != nil {
		return fmt.Errorf("node %d: %w", lease.Node, err)
	}
	o.lease.Store(node)
	o.log.Info("order ids are made with a leased node id", "node", lease.Node)
	return nil
}

func usableUntil(asked time.Time) time.Time { return asked.Add(nodeLeaseTTL - nodeLeaseMargin) }
