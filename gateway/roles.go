package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// every returns a role that does one unit of work at once and then again after each period.
func (g *Gateway) every(name string, period time.Duration, work func(context.Context) error) func(context.Context) {
	return func(ctx context.Context) {
		health := health{log: g.options.Log, role: name}
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for ctx.Err() == nil {
			health.note(ctx, g.safely(name, func() error { return work(ctx) }))
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}
}

// whileWaiting returns a role that works in the given period while somebody waits for an order, and sleeps otherwise.
func (g *Gateway) whileWaiting(
	name string, wake chan struct{}, period time.Duration, turn func(context.Context) error,
) func(context.Context) {
	return func(ctx context.Context) {
		health := health{log: g.options.Log, role: name}
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-wake:
			case <-ctx.Done():
				return
			}
			for g.waiters.anyone() && ctx.Err() == nil {
				health.note(ctx, g.safely(name, func() error { return turn(ctx) }))
				select {
				case <-ticker.C:
				case <-ctx.Done():
				}
			}
		}
	}
}

// readOwners makes filters of owners as the latch watcher orders them.
func (g *Gateway) readOwners(ctx context.Context) {
	health := health{log: g.options.Log, role: "owners of sold-out buckets"}
	for {
		select {
		case order := <-g.latchWatcher.owners.orders:
			health.note(ctx, g.safely(health.role, func() error { return g.latchWatcher.owners.read(ctx, order) }))
		case <-ctx.Done():
			return
		}
	}
}

// buildLists makes filters of listed buyers when the catalogue has changed, and tries again a while after a failure.
func (g *Gateway) buildLists(ctx context.Context) {
	health := health{log: g.options.Log, role: "lists of buyers"}
	var again <-chan time.Time
	for {
		select {
		case <-g.lists.wanted:
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		err := g.safely(health.role, func() error {
			return g.lists.build(ctx, g.catalogue.current.Load(), g.stock.Now())
		})
		health.note(ctx, err)
		if err != nil {
			again = time.After(listRetry)
		}
	}
}

// lookForViewers looks at the stock of sales that somebody is watching.
func (g *Gateway) lookForViewers(ctx context.Context) {
	health := health{log: g.options.Log, role: "watched sales"}
	for {
		select {
		case live := <-g.viewers.watched:
			health.note(ctx, g.safely(health.role, func() error { return g.viewers.look(ctx, live) }))
		case <-ctx.Done():
			return
		}
	}
}

// safely runs one unit of work and turns a panic into an error, so that a fault costs one unit and not the process.
func (g *Gateway) safely(what string, work func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			g.fault(what, fault)
			err = fmt.Errorf("%s: panic: %v", what, fault)
		}
	}()
	return work()
}

// fault counts and reports a panic.
func (g *Gateway) fault(what string, fault any) {
	g.metrics.panics.Inc()
	g.options.Log.Error("panic", slog.String("in", what), slog.Any("fault", fault), slog.String("stack", string(debug.Stack())))
}

// health reports when a role begins to fail and when it works again, and not every failure in between.
type health struct {
	log     *slog.Logger
	role    string
	failing bool
}

func (h *health) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil: // the end of the process is no fault of the role
	case err != nil && !h.failing:
		h.failing = true
		h.log.Warn("role fails", slog.String("role", h.role), slog.Any("error", err))
	case err == nil && h.failing:
		h.failing = false
		h.log.Info("role works again", slog.String("role", h.role))
	}
}
