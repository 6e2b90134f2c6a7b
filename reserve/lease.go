package reserve

import (
	"context"
	"log/slog"

	"flashsale/lease"
)

// Leases are rows in the database that only one process owns at a time.
type Leases = lease.Leases

const leaseTTL = lease.TTL

var errLeaseLost = lease.ErrLost

// underLease does work while it owns a lease. Where another process owns it, it returns sale.ErrLeaseHeld and does nothing.
func underLease(ctx context.Context, leases Leases, name, holder string, log *slog.Logger, work func(context.Context) error) error {
	one := lease.Lease{Leases: leases, Name: lease.Name(name), Owner: holder, Log: log}
	return one.Do(ctx, work)
}
