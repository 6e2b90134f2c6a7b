package reserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flashsale/faults"
	"flashsale/sale"
)

// Leases are rows in the database that only one process holds at a time. Acquiring a lease that the holder has already
// renews it.
type Leases interface {
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	ReleaseLease(ctx context.Context, name, holder string) error
}

const (
	leaseTTL         = 6 * time.Second // after it another process takes over from one that died
	leaseCallTimeout = 2 * time.Second
)

var errLeaseLost = errors.New("the lease was lost")

// underLease does work while it holds a lease, renews the lease meanwhile, and ends the work's context when the lease is
// lost. When another process holds the lease it returns sale.ErrLeaseHeld and does nothing.
func underLease(ctx context.Context, leases Leases, name, holder string, log *slog.Logger, work func(context.Context) error) error {
	held, err := acquire(ctx, leases, name, holder)
	if err != nil {
		return fmt.Errorf("acquire lease %s: %w", name, err)
	}
	if !held {
		return fmt.Errorf("lease %s: %w", name, sale.ErrLeaseHeld)
	}
	faults.Point("lease.acquired")
	working, lose := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		renew(working, leases, name, holder, lose)
	}()
	err = work(working)
	if cause := context.Cause(working); err != nil && errors.Is(cause, errLeaseLost) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	lose(nil)
	<-renewed
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseCallTimeout)
	defer cancel()
	if failed := leases.ReleaseLease(release, name, holder); failed != nil {
		log.Warn("a lease could not be released and runs out", "lease", name, "error", failed)
	}
	return err
}

// renew keeps the lease until its context ends; when it cannot, until two thirds of the lease are over, it is lost.
func renew(ctx context.Context, leases Leases, name, holder string, lose context.CancelCauseFunc) {
	good := time.Now()
	for {
		pause(ctx, leaseTTL/6)
		if ctx.Err() != nil {
			return
		}
		asked := time.Now()
		held, err := acquire(ctx, leases, name, holder)
		switch {
		case err == nil && held:
			good = asked
		case err == nil || time.Since(good) > leaseTTL*2/3:
			lose(errLeaseLost)
			return
		}
	}
}

func acquire(ctx context.Context, leases Leases, name, holder string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseCallTimeout)
	defer cancel()
	return leases.AcquireLease(ctx, name, holder, leaseTTL)
}
