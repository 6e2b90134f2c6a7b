package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"flashsale/role"
)

// every returns a role that runs one unit of work at once and then starts one each period.
func (g *Gateway) every(name string, period time.Duration, unit func(context.Context) error) *role.Loop {
	return &role.Loop{
		Name: name, Log: g.options.Log, Rest: role.Steady(period),
		Unit: func(ctx context.Context) error { return g.safely(name, func() error { return unit(ctx) }) },
	}
}

// followCatalogue returns the role that polls the catalogue. While nobody asks and nothing changes it polls less often: the
// polls are most of what an idle gateway costs.
func (g *Gateway) followCatalogue() *role.Loop {
	loop := g.every("catalogue", pollInterval, g.pollCatalogue)
	steady, calm, quiet := loop.Rest, role.Steady(calmInterval), 0
	loop.Rest = func(took time.Duration) time.Duration {
		if quiet++; g.asked.Swap(false) {
			quiet = 0
		}
		if quiet < calmPolls {
			return steady(took)
		}
		return calm(took)
	}
	return loop
}

// watchLatches returns the role that looks at closed latches, and sleeps while none is closed.
func (g *Gateway) watchLatches() *role.Loop {
	loop := g.every("sold-out latches", lookInterval, g.latchWatcher.look)
	steady := loop.Rest
	loop.Wake = g.latchWatcher.woken
	loop.Rest = func(took time.Duration) time.Duration {
		if !g.latchWatcher.looks() {
			return role.UntilWoken
		}
		return steady(took)
	}
	return loop
}

// whileWaiting returns a role that runs each period while a request waits for an order, and sleeps otherwise.
func (g *Gateway) whileWaiting(name string, wake <-chan struct{}, period time.Duration,
	unit func(context.Context) error) *role.Loop {
	var waited bool // whether there was a waiter when the last unit began
	var result error
	rest := role.Steady(period)
	return &role.Loop{
		Name: name, Log: g.options.Log, Wake: wake,
		Rest: func(took time.Duration) time.Duration {
			if !waited {
				return role.UntilWoken
			}
			return rest(took)
		},
		Unit: func(ctx context.Context) error {
			if waited = g.waiters.anyone(); waited {
				result = g.safely(name, func() error { return unit(ctx) })
			}
			return result // without waiters the last result: a unit that did nothing must not log a recovery
		},
	}
}

// listBuilder returns the role that builds the filters of listed buyers after a change of the catalogue, and retries
// listRetry after a failure.
func (g *Gateway) listBuilder() *role.Loop {
	const name = "lists of buyers"
	return &role.Loop{
		Name: name, Log: g.options.Log, Wake: g.lists.wanted, Retry: func(int) time.Duration { return listRetry },
		Unit: func(ctx context.Context) error {
			return g.safely(name, func() error { return g.lists.build(ctx, g.catalogue.current.Load(), g.stock.Now()) })
		},
	}
}

// readOwners builds the filters of owners that the latch watcher orders.
func (g *Gateway) readOwners(ctx context.Context) {
	eachOf(ctx, g, "owners of sold-out buckets", g.latchWatcher.owners.orders, g.latchWatcher.owners.read)
}

// lookForViewers looks at the stock of sales with viewers.
func (g *Gateway) lookForViewers(ctx context.Context) {
	eachOf(ctx, g, "watched sales", g.viewers.watched, g.viewers.look)
}

// eachOf runs one unit of work for every item of a channel until ctx is over.
func eachOf[T any](ctx context.Context, g *Gateway, name string, items <-chan T, unit func(context.Context, T) error) {
	health := &role.Health{Name: name, Log: g.options.Log}
	role.Each(ctx, items, health, func(ctx context.Context, item T) error {
		return g.safely(name, func() error { return unit(ctx, item) })
	})
}

// safely runs one unit of work and turns a panic into an error, so that a panic ends one unit and not the process.
func (g *Gateway) safely(what string, work func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			g.fault(what, fault)
			err = fmt.Errorf("%s: panic: %v", what, fault)
		}
	}()
	return work()
}

// fault counts and logs a panic.
func (g *Gateway) fault(what string, fault any) {
	g.metrics.panics.Inc()
	g.options.Log.Error("panic", slog.String("in", what), slog.Any("fault", fault), slog.String("stack", string(debug.Stack())))
}
