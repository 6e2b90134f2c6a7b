package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// Gateway serves buyers. Its life: New, then Run in the background and Serve in front, then Shutdown.
type Gateway struct {
	options   Options
	stock     Stock
	breakers  *Breakers
	purchases *guard
	checks    func() map[string]string
	refusals  *refusals
	metrics   *metrics
	server    *fasthttp.Server

	catalogue     cataloguePoller
	heartbeat     heartbeat
	tokens        *tokens
	limits        limits
	buyerRequests *buyerRequests
	latchWatcher  *latchWatcher
	viewers       *viewers
	lists         *lists
	lookups       *lookups
	cancels       *cancels
	waiters       *waiters

	inFlight atomic.Int64 // purchases between admission and answer
	reads    atomic.Int64 // look-ups of orders between admission and answer
	stopping chan struct{}
	stopOnce sync.Once

	mu        sync.Mutex
	listeners []*boundedListener
}

// New checks options and dependencies and builds a Gateway that is not running yet.
func New(o Options, d Deps) (*Gateway, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("gateway options: %w", err)
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	numbers, err := newMetrics(d.Registerer)
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		options: o, stock: d.Stock, breakers: d.Breakers, checks: d.Checks,
		refusals: newRefusals(), metrics: numbers, tokens: newTokens(o),
		catalogue: cataloguePoller{source: d.Catalogue, timeout: catalogueTimeout},
		heartbeat: heartbeat{write: d.Heartbeat, timeout: o.StoreTimeout},
		limits:    limits{entries: o.LimitEntries, start: time.Now()}, buyerRequests: newBuyerRequests(),
		latchWatcher: newLatchWatcher(d, o.StoreTimeout),
		lists:        newLists(d.Catalogue), stopping: make(chan struct{}), purchases: d.Breakers.routes[sale.ResourcePurchase],
	}
	g.viewers = newViewers(g.latchWatcher)
	g.lookups = &lookups{orders: d.Orders, breakers: d.Breakers, timeout: o.StoreTimeout, guard: g.safely}
	g.cancels = newCancels(d.Cancels, g.lookups)
	g.waiters = newWaiters(g.lookups, d.Stock, o)
	g.server = g.newServer()
	return g, nil
}

// Serve answers buyers on a listener, which it closes, until Shutdown; it returns nil then.
func (g *Gateway) Serve(listener net.Listener) error {
	bounded := g.bounded(listener)
	g.mu.Lock()
	g.listeners = append(g.listeners, bounded)
	g.mu.Unlock()
	if g.draining() { // Shutdown came first and may not have seen this listener
		return bounded.Close()
	}
	if err := g.server.Serve(bounded); err != nil {
		return fmt.Errorf("serve buyers on %s: %w", listener.Addr(), err)
	}
	return nil
}

// Shutdown ends readiness, lets buyers in for the farewell time, stops accepting, answers those who wait, and returns when
// every connection has had its answer or ctx is over. Purchases that are under way are answered; call it before the Stock
// is drained.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.stopOnce.Do(func() {
		close(g.stopping)
		g.farewell(ctx)
	})
	g.mu.Lock() // fasthttp knows a listener only once its Serve runs
	for _, listener := range g.listeners {
		_ = listener.Close() // closing is all there is to do; an error would say that it is closed
	}
	g.mu.Unlock()
	if err := g.server.ShutdownWithContext(ctx); err != nil {
		return fmt.Errorf("shut down the buyers' listener: %w", err)
	}
	return nil
}

// farewell waits while buyers are still answered and sent away.
func (g *Gateway) farewell(ctx context.Context) {
	timer := time.NewTimer(g.options.FarewellTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Ready returns what the gateway still waits for, by name; empty means ready. A store that goes away later does not
// change it: purchases say so themselves.
func (g *Gateway) Ready() map[string]string {
	waiting := map[string]string{}
	if g.checks != nil {
		maps.Copy(waiting, g.checks())
	}
	if g.catalogue.current.Load() == nil {
		waiting["catalogue"] = "not read from the database yet"
	}
	if g.stock.Now().IsZero() {
		waiting["clock"] = "Redis has not told its time yet"
	}
	if g.draining() {
		waiting["gateway"] = "draining"
	}
	return waiting
}

func (g *Gateway) draining() bool {
	select {
	case <-g.stopping:
		return true
	default:
		return false
	}
}

// catalogueTimeout is for one read of the changes; the first one reads everything.
const catalogueTimeout = 10 * time.Second

// Run works off the background roles until ctx is over, and returns when all of them have ended.
func (g *Gateway) Run(ctx context.Context) {
	var roles sync.WaitGroup
	start := func(role func(context.Context)) { roles.Go(func() { role(ctx) }) }
	start(g.every("catalogue", pollInterval, g.pollCatalogue).Run)
	start(g.every("sold-out latches", lookInterval, g.latchWatcher.look).Run)
	for range ownersLoaders {
		start(g.readOwners)
	}
	start(g.listBuilder().Run)
	start(g.lookForViewers)
	start(g.whileWaiting("waiting buyers", g.waiters.rows, waitInterval, g.waiters.askRows).Run)
	start(g.whileWaiting("waiting buyers of held orders", g.waiters.held, lookInterval, g.waiters.askHeldOrders).Run)
	roles.Wait()
}

// pollCatalogue takes over one set of changes, and then writes the heartbeat. No other code reloads rules.
func (g *Gateway) pollCatalogue(ctx context.Context) error {
	changes, err := g.catalogue.poll(ctx)
	if err != nil {
		return err
	}
	if touchesSales(changes) {
		g.latchWatcher.wake()
		g.lists.changed()
	}
	if changes.Rules != nil {
		g.limits.load(*changes.Rules)
		err = g.breakers.Load(*changes.Rules)
	}
	return errors.Join(err, g.heartbeat.beat(ctx, g.catalogue.current.Load().version))
}
