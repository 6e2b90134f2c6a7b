package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"flashsale/sale"
)

// errLeaseLost ends a step whose lease could not be renewed: another process may hold it by now.
var errLeaseLost = errors.New("the lease could not be renewed in time")

// leaseName is the lease that every step on a sale's stock runs under, in every process.
func leaseName(saleID string) string { return "sale/" + saleID }

// underLease runs one step of a sale while no other step of that sale runs anywhere. It waits its turn for LeaseWait and
// then returns sale.ErrLeaseHeld. The context of the step ends when the lease is lost.
func (a *API) underLease(ctx context.Context, saleID string, step func(context.Context) error) error {
	name, holder := leaseName(saleID), "admin-"+rand.Text() // one holder a step: two steps of one process exclude each other too
	if err := a.awaitLease(ctx, name, holder); err != nil {
		return err
	}
	ctx, lose := context.WithCancelCause(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		a.keepLease(ctx, name, holder, lose)
	}()
	err := step(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errLeaseLost) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	lose(nil)
	<-kept
	a.releaseLease(ctx, name, holder)
	return err
}

// awaitLease asks more and more seldom, from every 20 ms to every 250 ms.
func (a *API) awaitLease(ctx context.Context, name, holder string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, a.opts.LeaseWait, sale.ErrLeaseHeld)
	defer cancel()
	pause := 20 * time.Millisecond
	for {
		mine, err := a.deps.Preloads.AcquireLease(ctx, name, holder, a.opts.LeaseTTL)
		if mine {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("acquire lease %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("acquire lease %s: %w", name, context.Cause(ctx))
		case <-time.After(pause):
		}
		pause = min(2*pause, 250*time.Millisecond)
	}
}

// keepLease renews at a third of the lease's life. It survives one renewal that fails, not two.
func (a *API) keepLease(ctx context.Context, name, holder string, lose context.CancelCauseFunc) {
	ticker := time.NewTicker(a.opts.LeaseTTL / 3)
	defer ticker.Stop()
	for failed := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		renewal, cancel := context.WithTimeout(ctx, a.opts.LeaseTTL/3)
		mine, err := a.deps.Preloads.AcquireLease(renewal, name, holder, a.opts.LeaseTTL)
		cancel()
		switch {
		case mine && err == nil:
			failed = 0
		case err == nil || failed == 1: // someone else has it, or will before a third try
			lose(errLeaseLost)
			return
		default:
			failed++
		}
	}
}

// releaseLease lets the next step begin at once; where that fails, the lease ends by itself.
func (a *API) releaseLease(ctx context.Context, name, holder string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := a.deps.Preloads.ReleaseLease(ctx, name, holder); err != nil {
		a.opts.Logger.Warn("lease not released", "lease", name, "error", err)
	}
}
