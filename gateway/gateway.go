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
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"flashsale/role"
	"flashsale/sale"
	"flashsale/series"
	"flashsale/tracing"
)

// Gateway serves buyers. Create it with New, call Run in one goroutine and Serve in others, and end it with Shutdown.
type Gateway struct {
	options   Options
	stock     Stock
	breakers  *Breakers
	purchases *guard
	checks    func() map[string]string
	refusals  *refusals
	metrics   *metrics
	tracer    *tracing.Tracer
	server    *fasthttp.Server
	pages     fasthttp.RequestHandler // nil: there are none
	requests  []byte                  // the beginning of the ids of requests without an id

	catalogue     cataloguePoller
	heartbeat     heartbeat
	rules         sale.Rules // the operators'; only the catalogue's poller uses them
	brake         brake      // likewise
	tokens        *tokens
	limits        limits
	buyerRequests *buyerRequests
	latchWatcher  *latchWatcher
	viewers       *viewers
	lists         *lists
	lookups       *lookups
	cancels       *cancels
	waiters       *waiters

	asked    atomic.Bool  // a request came, or the catalogue changed, since the last poll of the catalogue
	inFlight atomic.Int64 // purchases between admission and answer
	reads    atomic.Int64 // look-ups of orders between admission and answer
	stopping chan struct{}
	stopOnce sync.Once
	calm     atomic.Bool // the listeners are about to be closed: answers leave connections open, so that few are opened

	mu        sync.Mutex
	listeners []*boundedListener
}

// New checks options and dependencies and builds a Gateway.
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
		refusals: newRefusals(), metrics: numbers, tracer: d.Tracer, tokens: newTokens(o), requests: newRequestPrefix(),
		catalogue: cataloguePoller{source: d.Catalogue, timeout: catalogueTimeout, presses: numbers.presses},
		heartbeat: heartbeat{write: d.Heartbeat, timeout: o.StoreTimeout},
		limits:    limits{entries: o.LimitEntries, start: time.Now()}, buyerRequests: newBuyerRequests(),
		latchWatcher: newLatchWatcher(d, o.StoreTimeout),
		lists:        newLists(d.Catalogue), stopping: make(chan struct{}), purchases: d.Breakers.routes[sale.ResourcePurchase],
	}
	g.viewers = newViewers(g.latchWatcher)
	g.lookups = &lookups{orders: d.Orders, breakers: d.Breakers, timeout: o.StoreTimeout, guard: g.safely}
	g.cancels = newCancels(d.Cancels, g.lookups)
	g.waiters = newWaiters(g.lookups, d.Stock, o)
	if o.Pages != nil {
		g.pages = fasthttpadaptor.NewFastHTTPHandler(o.Pages)
	}
	g.server = g.newServer()
	if err := d.Registerer.Register(g.connectionGauge()); err != nil {
		return nil, fmt.Errorf("register gateway metrics: %w", err)
	}
	return g, nil
}

// Serve answers buyers on a listener until Shutdown, and then returns nil. It closes the listener.
func (g *Gateway) Serve(listener net.Listener) error {
	bounded := g.bounded(listener)
	g.mu.Lock()
	g.listeners = append(g.listeners, bounded)
	g.mu.Unlock()
	if g.draining() { // Shutdown began before and may have missed this listener
		return bounded.abandon()
	}
	if err := g.server.Serve(bounded); err != nil {
		return fmt.Errorf("serve buyers on %s: %w", listener.Addr(), err)
	}
	return nil
}

// Shutdown ends readiness, accepts connections for FarewellTime more, closes the listeners, answers on open connections for
// half of FarewellTime more, closes idle ones and answers waiting requests. It returns when every request has its answer or ctx
// is over. Call it before draining the Stock, because requests in progress still need it.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.stopOnce.Do(func() {
		close(g.stopping)
		g.farewell(ctx)
	})
	var failed error
	g.mu.Lock() // fasthttp closes only the listeners whose Serve has begun
	for _, listener := range g.listeners {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
			failed = errors.Join(failed, err)
		}
	}
	g.mu.Unlock()
	g.calm.Store(false)
	g.forsake(ctx)
	if failed = errors.Join(failed, g.server.ShutdownWithContext(ctx)); failed != nil {
		return fmt.Errorf("shut down the buyers' listener: %w", failed)
	}
	return nil
}

// farewell waits for FarewellTime while the gateway still serves buyers and closes each connection after an answer. In the
// last quarter answers leave connections open: a proxy that opened one for each press until the listener is closed would have
// some reset by it.
func (g *Gateway) farewell(ctx context.Context) {
	calm := g.options.FarewellTime / 4
	if role.Pause(ctx, g.options.FarewellTime-calm) {
		g.calm.Store(true)
		role.Pause(ctx, calm)
	}
}

// forsake waits until no connection is open, for half of FarewellTime at most. A proxy that knows of the end only by a refused
// connection has to meet that refusal before its idle connections are closed: a press on a connection that is closed at the
// same moment gets no answer.
func (g *Gateway) forsake(ctx context.Context) {
	waiting, cancel := context.WithTimeout(ctx, g.options.FarewellTime/2)
	defer cancel()
	role.Until(waiting, role.Always(forsakeRest), func() bool { return g.connections() == 0 })
}

// forsakeRest is the time between two looks at the open connections.
const forsakeRest = 10 * time.Millisecond

// connections returns the number of open connections.
func (g *Gateway) connections() (open int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, listener := range g.listeners {
		open += listener.connections()
	}
	return open
}

// Ready returns what the gateway still waits for, by name; empty means ready. A store that fails later does not change it:
// the purchases answer unavailable then.
func (g *Gateway) Ready() map[string]string {
	waiting := map[string]string{}
	if g.checks != nil {
		maps.Copy(waiting, g.checks())
	}
	if g.catalogue.current.Load() == nil {
		waiting["catalogue"] = "not read from the database yet"
	}
	if g.stock.Now().IsZero() {
		waiting["clock"] = "no time from Redis yet"
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

// catalogueTimeout bounds one read of the changes; the first read gets the whole catalogue.
const catalogueTimeout = 10 * time.Second

// Run runs the background roles until ctx is over, and returns when all of them have ended.
func (g *Gateway) Run(ctx context.Context) {
	var roles sync.WaitGroup
	start := func(role func(context.Context)) { roles.Go(func() { role(ctx) }) }
	start(g.followCatalogue().Run)
	start(g.every("busiest sales", series.JudgeEvery, g.judgePresses).Run)
	start(g.watchLatches().Run)
	for range ownersLoaders {
		start(g.readOwners)
	}
	start(g.listBuilder().Run)
	start(g.lookForViewers)
	start(g.whileWaiting("waiting buyers", g.waiters.rows, waitInterval, g.waiters.askRows).Run)
	start(g.whileWaiting("waiting buyers of held orders", g.waiters.held, lookInterval, g.waiters.askHeldOrders).Run)
	roles.Wait()
}

// pollCatalogue applies the changes of the catalogue and then writes the heartbeat.
func (g *Gateway) pollCatalogue(ctx context.Context) error {
	changes, err := g.catalogue.poll(ctx)
	if err != nil {
		return err
	}
	if touchesSales(changes) {
		g.asked.Store(true)
		g.latchWatcher.wake()
		g.lists.changed()
	}
	err = g.followRules(&changes)
	return errors.Join(err, g.heartbeat.beat(ctx, g.catalogue.current.Load().version))
}
