package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"flashsale/sale"
)

// AcquireLease takes a named lease, or renews it for the holder who has it; false means that another one has it.
func (d *Database) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	return call(ctx, d, "AcquireLease", func() (bool, error) {
		if present, taken := d.t.Leases[name]; taken && present.Holder != holder && d.now().Before(present.Until) {
			return false, nil
		}
		d.t.Leases[name] = Lease{holder, d.now().Add(ttl)}
		return true, nil
	})
}

// ReleaseLease gives a lease back; one that the holder does not have is left alone.
func (d *Database) ReleaseLease(ctx context.Context, name, holder string) error {
	return d.run(ctx, "ReleaseLease", func() error {
		if d.t.Leases[name].Holder == holder {
			delete(d.t.Leases, name)
		}
		return nil
	})
}

// LeaseNode leases the node id that has rested longest. The real store picks one of the sixteen that have, by chance.
func (d *Database) LeaseNode(ctx context.Context, holder string, ttl time.Duration) (sale.NodeLease, error) {
	return call(ctx, d, "LeaseNode", func() (sale.NodeLease, error) {
		var free []int64
		for node := range d.nodes {
			if !d.now().Before(d.t.Nodes[node].Until) {
				free = append(free, node)
			}
		}
		if len(free) == 0 {
			return sale.NodeLease{}, fmt.Errorf("lease a node id: none of %d is free: %w", d.nodes, sale.ErrLeaseHeld)
		}
		node := slices.MinFunc(free, func(a, b int64) int {
			return cmp.Or(d.t.Nodes[a].Until.Compare(d.t.Nodes[b].Until), cmp.Compare(a, b))
		})
		highWaterMS := d.t.Nodes[node].HighWaterMS
		d.t.Nodes[node] = Node{Lease{holder, d.now().Add(ttl)}, highWaterMS}
		return sale.NodeLease{Node: node, Holder: holder, HighWaterMS: highWaterMS}, nil
	})
}

// RenewNode extends a lease and raises its high-water mark. It works as long as no other holder has leased the node id;
// then the error wraps sale.ErrLeaseHeld.
func (d *Database) RenewNode(ctx context.Context, lease sale.NodeLease, highWaterMS int64, ttl time.Duration) error {
	return d.run(ctx, "RenewNode", func() error {
		node := d.t.Nodes[lease.Node]
		if node.Holder == "" || node.Holder != lease.Holder {
			return fmt.Errorf("renew node id %d of %s: %w", lease.Node, lease.Holder, sale.ErrLeaseHeld)
		}
		d.t.Nodes[lease.Node] = Node{Lease{lease.Holder, d.now().Add(ttl)}, max(node.HighWaterMS, highWaterMS)}
		return nil
	})
}
