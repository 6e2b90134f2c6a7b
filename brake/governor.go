package brake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/lease"
	"flashsale/role"
	"flashsale/sale"
)

// Books is the part of the database that the brake needs.
type Books interface {
	// Headway returns how far each partition of the orders topic has settled, with the orders counted.
	Headway(ctx context.Context) ([]sale.Headway, error)
	// EventOrders returns the orders in events that the events topic does not have.
	EventOrders(ctx context.Context) (int64, error)
	// LiveGateways returns the number of gateways that reported within a time.
	LiveGateways(ctx context.Context, within time.Duration) (int64, error)
	// Brake returns the brake, nil while there is none or after it ran out.
	Brake(ctx context.Context) (*sale.Brake, error)
	// SetBrake begins, changes or renews the brake, or ends it for nil; it ends after lasting unless it is renewed.
	SetBrake(ctx context.Context, next *sale.Brake, lasting time.Duration) error
}

// Ends reads the ends of the orders topic.
type Ends interface {
	// Ends returns the offset of the next record to be written, by partition.
	Ends(ctx context.Context) (map[int32]int64, error)
	Close() error
}

// Journals reads the journals in Redis.
type Journals interface {
	// Fullest returns the orders in the fullest journal.
	Fullest(ctx context.Context) (int64, error)
}

// Times of the governor. Between two renewals a governor may die and another one take over the lease, within 7 s.
const (
	keepEvery     = time.Second
	lasting       = 15 * time.Second // of a brake that nobody renews
	renewAfter    = 5 * time.Second
	unitTimeout   = 6 * time.Second
	gatewaySilent = 25 * time.Second // a gateway that has not reported for so long has no share; it reports every 10 s
)

// GovernorOptions are the parts of a Governor.
type GovernorOptions struct {
	Bounds     Bounds
	Books      Books
	Ends       Ends
	Journals   Journals
	Leases     lease.Leases
	Owner      string // names this process in the lease
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Governor measures what waits and keeps the brake. One process at a time does it.
type Governor struct {
	GovernorOptions
	law     law
	meter   meter
	known   bool        // whether law has taken over what the database has
	set     *sale.Brake // what the database has, nil for none
	renewed time.Time   // when set was written last
	shown   *gauge

	headway  reading[[]sale.Headway]
	ends     reading[map[int32]int64]
	events   reading[int64]
	journal  reading[int64]
	gateways reading[int64]
	running  sync.WaitGroup // of readings
}

// NewGovernor registers the metrics and returns a governor; Run does its work.
func NewGovernor(o GovernorOptions) (*Governor, error) {
	g := &Governor{GovernorOptions: o, shown: newGauge()}
	g.headway.read, g.ends.read, g.events.read = o.Books.Headway, o.Ends.Ends, o.Books.EventOrders
	if o.Bounds.Events == 0 { // it reads every row of the events
		g.events.read = func(context.Context) (int64, error) { return 0, nil }
	}
	g.journal.read = o.Journals.Fullest
	g.gateways.read = func(ctx context.Context) (int64, error) { return o.Books.LiveGateways(ctx, gatewaySilent) }
	if err := o.Registerer.Register(g.shown); err != nil {
		return nil, fmt.Errorf("register the metrics of the brake: %w", err)
	}
	return g, nil
}

// Run keeps the brake until ctx ends. Without any bound it only ends, once it ran out, a brake that an earlier process has
// begun.
func (g *Governor) Run(ctx context.Context) {
	if g.Bounds.off() {
		g.shown.own(true) // 0 in every such process, so that a screen shows that there is no brake
		g.endLeftover(ctx)
		return
	}
	own := &lease.Lease{Leases: g.Leases, Name: lease.Brake, Owner: g.Owner, Log: g.Log, Owned: g.shown.own}
	own.Serve(ctx, role.Loop{
		Name: "brake", Failing: "what waits could not be measured, so the brake of purchases may be wrong", Log: g.Log,
		Unit: func(unit context.Context) error { return g.keep(unit, ctx) }, Every: keepEvery, Limit: unitTimeout,
	})
	g.running.Wait()
	if err := g.Ends.Close(); err != nil {
		g.Log.Warn("closing the brake's client of kafka failed", "error", err)
	}
}

// keep is one unit of work: measure, decide, write. Each tenure begins with what the database has. A reading may go on after
// the unit, until during ends.
func (g *Governor) keep(ctx, during context.Context) error {
	if g.shown.anew() {
		g.forget()
	}
	if !g.known {
		present, err := g.Books.Brake(ctx)
		if err != nil {
			return err
		}
		g.takeOver(present)
	}
	seen, gateways, failed := g.measure(ctx, during)
	next := g.law.next(seen.at, g.meter.add(seen), gateways)
	return errors.Join(failed, g.write(ctx, next, &seen))
}

// forget begins anew: another process may have kept the brake meanwhile.
func (g *Governor) forget() {
	g.known, g.meter, g.law = false, meter{}, law{bounds: g.Bounds}
	g.headway.forget()
	g.ends.forget()
	g.events.forget()
	g.journal.forget()
	g.gateways.forget()
}

// takeOver continues with what the database has. A brake that ran out is ended in the trail by the first write.
func (g *Governor) takeOver(present *sale.Brake) {
	g.known, g.set, g.renewed = true, present, time.Time{}
	if present != nil {
		g.law.goOn(time.Now(), present)
	}
}

// measure reads everything at the same time and returns what is known after patience. Where the gateways cannot be counted, one
// counts.
func (g *Governor) measure(ctx, during context.Context) (s sample, gateways int64, failed error) {
	awaitAll(ctx, g.headway.begin(during, &g.running), g.ends.begin(during, &g.running), g.events.begin(during, &g.running),
		g.journal.begin(during, &g.running), g.gateways.begin(during, &g.running))
	s.at = time.Now()
	var errs [5]error
	var headway timed[[]sale.Headway]
	headway, errs[0] = g.headway.last(s.at)
	s.headway = timed[map[int32]sale.Headway]{headway.known, make(map[int32]sale.Headway, len(headway.value)), headway.at}
	for _, h := range headway.value {
		s.headway.value[h.Partition] = h
	}
	s.ends, errs[1] = g.ends.last(s.at)
	s.events, errs[2] = g.events.last(s.at)
	s.journal, errs[3] = g.journal.last(s.at)
	live, err := g.gateways.last(s.at)
	errs[4] = err
	return s, max(1, live.value), errors.Join(errs[:]...)
}

// write brings the decision to the database where it differs from what that has, or is due to be renewed.
func (g *Governor) write(ctx context.Context, next *sale.Brake, seen *sample) error {
	if !g.due(seen.at, next) {
		return nil
	}
	if err := g.Books.SetBrake(ctx, next, lasting); err != nil {
		return err
	}
	g.tell(next, seen)
	g.set, g.renewed = next, seen.at
	g.shown.show(next)
	return nil
}

// due reports whether the database needs a write: at the begin of a tenure, for a begin, an end or another reason, for a rate
// that differs by more than a tenth, and to renew.
func (g *Governor) due(now time.Time, next *sale.Brake) bool {
	switch {
	case g.renewed.IsZero():
		return true
	case next == nil || g.set == nil:
		return next != g.set
	case next.Reason != g.set.Reason, now.Sub(g.renewed) >= renewAfter:
		return true
	}
	difference := max(next.PerGateway, g.set.PerGateway) - min(next.PerGateway, g.set.PerGateway)
	return difference*10 > g.set.PerGateway
}

// tell logs the begin and the end of a brake and a new reason.
func (g *Governor) tell(next *sale.Brake, seen *sample) {
	switch {
	case next == nil && g.set != nil:
		g.Log.Info("purchases are not slowed any more")
	case next != nil && (g.set == nil || g.set.Reason != next.Reason):
		g.Log.Warn("purchases are slowed, because what is named waits beyond its bound", "reason", next.Reason,
			"per_second", next.PerSecond, "rows", g.meter.waiting(seen), "events", seen.events.value,
			"journal", seen.journal.value)
	}
}

// endLeftover waits until the brake of an earlier process has ended, and ends one that ran out.
func (g *Governor) endLeftover(ctx context.Context) {
	working, end := context.WithCancel(ctx)
	defer end()
	loop := role.Loop{
		Name: "brake", Failing: "a brake of purchases that an earlier process has begun could not be ended", Log: g.Log,
		Every: renewAfter, Limit: unitTimeout,
		Unit: func(ctx context.Context) error {
			present, err := g.Books.Brake(ctx)
			if err != nil || present != nil {
				return err
			}
			if err = g.Books.SetBrake(ctx, nil, 0); err == nil {
				end()
			}
			return err
		},
	}
	loop.Run(working)
}
