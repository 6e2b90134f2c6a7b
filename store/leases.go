package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"flashsale/faults"
	"flashsale/sale"
)

// Leases end by the database's clock, so that the clocks of the holders do not matter.

const (
	sqlTakeLease    = "UPDATE leases SET holder = ?, expires_ms = %s + ? WHERE name = ? AND (holder = ? OR expires_ms <= %[1]s)"
	sqlMakeLease    = "INSERT INTO leases (name, holder, expires_ms) VALUES (?, ?, %s + ?)"
	sqlHolder       = "SELECT COUNT(*) FROM leases WHERE name = ? AND holder = ? AND expires_ms > %s"
	sqlReleaseLease = "DELETE FROM leases WHERE name = ? AND holder = ?"
)

// AcquireLease acquires a named lease, or renews it for its owner. It returns false if another holder owns it.
func (s *Store) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	taken, err := s.acquireLease(ctx, name, holder, ttl.Milliseconds())
	if err != nil {
		return false, fmt.Errorf("acquire lease %s for %s: %w", name, holder, err)
	}
	if taken {
		faults.Point("store.lease-acquired")
	}
	return taken, nil
}

func (s *Store) acquireLease(ctx context.Context, name, holder string, ttlMS int64) (bool, error) {
	taken, err := s.changed(ctx, fmt.Sprintf(sqlTakeLease, s.dialect.nowMS), holder, ttlMS, name, holder)
	if err != nil || taken {
		return taken, err
	}
	_, err = s.execute(ctx, fmt.Sprintf(sqlMakeLease, s.dialect.nowMS), name, holder, ttlMS)
	if err == nil {
		return true, nil
	}
	if s.dialect.fault(err) != faultDuplicate {
		return false, err
	}
	// There is a row. It may be the holder's own, because an UPDATE to equal values changes no row.
	var ours int
	err = s.db.QueryRowContext(ctx, fmt.Sprintf(sqlHolder, s.dialect.nowMS), name, holder).Scan(&ours)
	return ours == 1, err
}

// ReleaseLease releases a lease. It does nothing if the holder does not own it.
func (s *Store) ReleaseLease(ctx context.Context, name, holder string) error {
	if _, err := s.execute(ctx, sqlReleaseLease, name, holder); err != nil {
		return fmt.Errorf("release lease %s of %s: %w", name, holder, err)
	}
	faults.Point("store.lease-released")
	return nil
}

const (
	sqlFreeNodes = "SELECT node_id FROM node_leases WHERE expires_ms <= %s ORDER BY expires_ms, node_id LIMIT 16"
	sqlTakeNode  = "UPDATE node_leases SET holder = ?, expires_ms = %s + ? WHERE node_id = ? AND expires_ms <= %[1]s"
	sqlNodeWater = "SELECT high_water_ms FROM node_leases WHERE node_id = ? AND holder = ?"
	sqlRenewNode = "UPDATE node_leases SET expires_ms = %s + ?, " +
		"high_water_ms = CASE WHEN high_water_ms < ? THEN ? ELSE high_water_ms END WHERE node_id = ? AND holder = ?"
)

// maxNodeAttempts bounds the attempts when many gateways compete for the same free node ids.
const maxNodeAttempts = 64

// LeaseNode leases a node id for order ids, one of those that have been free longest. holder must be unique to the process.
// The error wraps sale.ErrLeaseHeld if no id is free.
func (s *Store) LeaseNode(ctx context.Context, holder string, ttl time.Duration) (sale.NodeLease, error) {
	for range maxNodeAttempts {
		free, err := s.freeNodes(ctx)
		if err != nil {
			return sale.NodeLease{}, fmt.Errorf("lease a node id: %w", err)
		}
		if len(free) == 0 {
			return sale.NodeLease{}, s.noNode(ctx)
		}
		lease := sale.NodeLease{Node: free[rand.N(len(free))], Holder: holder}
		taken, err := s.changed(ctx, fmt.Sprintf(sqlTakeNode, s.dialect.nowMS), holder, ttl.Milliseconds(), lease.Node)
		if err == nil && taken {
			err = s.db.QueryRowContext(ctx, sqlNodeWater, lease.Node, holder).Scan(&lease.HighWaterMS)
		}
		if err != nil {
			return sale.NodeLease{}, fmt.Errorf("lease node id %d: %w", lease.Node, err)
		}
		if taken {
			faults.Point("store.node-leased")
			return lease, nil
		}
	}
	return sale.NodeLease{}, fmt.Errorf("lease a node id: lost %d races: %w", maxNodeAttempts, sale.ErrLeaseHeld)
}

func (s *Store) freeNodes(ctx context.Context) ([]int64, error) {
	var free []int64
	err := each(ctx, s.db, fmt.Sprintf(sqlFreeNodes, s.dialect.nowMS), nil, func(rows scanner) error {
		var node int64
		err := rows.Scan(&node)
		free = append(free, node)
		return err
	})
	return free, err
}

// RenewNode extends a lease and raises its high-water mark; the mark never falls. It also succeeds after the end of the lease
// while no other process has leased the node id. Otherwise the error wraps sale.ErrLeaseHeld.
func (s *Store) RenewNode(ctx context.Context, lease sale.NodeLease, highWaterMS int64, ttl time.Duration) error {
	renewed, err := s.changed(ctx, fmt.Sprintf(sqlRenewNode, s.dialect.nowMS), ttl.Milliseconds(), highWaterMS, highWaterMS,
		lease.Node, lease.Holder)
	if err == nil && !renewed { // the lease has another holder, or the values were equal
		err = s.db.QueryRowContext(ctx, sqlNodeWater, lease.Node, lease.Holder).Scan(new(int64))
		if isNoRows(err) {
			err = sale.ErrLeaseHeld
		}
	}
	if err != nil {
		return fmt.Errorf("renew node id %d of %s: %w", lease.Node, lease.Holder, err)
	}
	faults.Point("store.node-renewed")
	return nil
}

// changed runs a guarded UPDATE of one row and reports whether it changed the row.
func (s *Store) changed(ctx context.Context, statement string, args ...any) (bool, error) {
	n, err := s.execute(ctx, statement, args...)
	return n == 1, err
}
