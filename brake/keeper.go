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

// Times of the keeper. Between two renewals a keeper may die and another one take over the lease, within 7 s.
const (
	keepEvery     = time.Second
	lasting       = 15 * time.Second // of a brake that nobody renews
	renewAfter    = 5 * time.Second
	unitTimeout   = 6 * time.Second
	gatewaySilent = 25 * time.Second // a gateway that has not reported for so long has no share; it reports every 10 s
)

// KeeperOptions are the parts of a Keeper.
type KeeperOptions struct {
	Bounds     Bounds
	Books      Books
	Ends       Ends
	Journals   Journals
	Leases     lease.Leases
	Owner      string // names this process in the lease
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Keeper measures what waits and keeps the brake. One process at a time does it.
type Keeper struct {
	KeeperOptions
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

// NewKeeper registers the metrics and returns a keeper; Run does its work.
func NewKeeper(o KeeperOptions) (*Keeper, error) {
	k := &Keeper{KeeperOptions: o, shown: newGauge()}
	k.headway.read, k.ends.read, k.events.read = o.Books.Headway, o.Ends.Ends, o.Books.EventOrders
	k.journal.read = o.Journals.Fullest
	k.gateways.read = func(ctx context.Context) (int64, error) { return o.Books.LiveGateways(ctx, gatewaySilent) }
	if err := o.Registerer.Register(k.shown); err != nil {
		return nil, fmt.Errorf("register the metrics of the brake: %w", err)
	}
	return k, nil
}

// Run keeps the brake until ctx ends. Without any bound it only ends, once it ran out, a brake that an earlier process has
// begun.
func (k *Keeper) Run(ctx context.Context) {
	if k.Bounds.off() {
		k.endLeftover(ctx)
		return
	}
	own := &lease.Lease{Leases: k.Leases, Name: lease.Brake, Owner: k.Owner, Log: k.Log, Owned: k.shown.own}
	own.Serve(ctx, role.Loop{
		Name: "brake", Failing: "what waits could not be measured, so the brake of purchases may be wrong", Log: k.Log,
		Unit: func(unit context.Context) error { return k.keep(unit, ctx) }, Every: keepEvery, Limit: unitTimeout,
	})
	k.running.Wait()
	if err := k.Ends.Close(); err != nil {
		k.Log.Warn("closing the brake's client of kafka failed", "error", err)
	}
}

// keep is one unit of work: measure, decide, write. Each tenure begins with what the database has. A reading may go on after
// the unit, until during ends.
func (k *Keeper) keep(ctx, during context.Context) error {
	if k.shown.anew() {
		k.forget()
	}
	if !k.known {
		present, err := k.Books.Brake(ctx)
		if err != nil {
			return err
		}
		k.takeOver(present)
	}
	seen, gateways, failed := k.measure(ctx, during)
	next := k.law.next(seen.at, k.meter.add(seen), gateways)
	return errors.Join(failed, k.write(ctx, next, &seen))
}

// forget begins anew: another process may have kept the brake meanwhile.
func (k *Keeper) forget() {
	k.known, k.meter, k.law = false, meter{}, law{bounds: k.Bounds}
	k.headway.forget()
	k.ends.forget()
	k.events.forget()
	k.journal.forget()
	k.gateways.forget()
}

// takeOver continues with what the database has. A brake that ran out is ended in the trail by the first write.
func (k *Keeper) takeOver(present *sale.Brake) {
	k.known, k.set, k.renewed = true, present, time.Time{}
	if present != nil {
		k.law.goOn(time.Now(), present)
	}
}

// measure reads everything at the same time and returns what is known after patience. Where the gateways cannot be counted, one
// counts.
func (k *Keeper) measure(ctx, during context.Context) (s sample, gateways int64, failed error) {
	awaitAll(ctx, k.headway.begin(during, &k.running), k.ends.begin(during, &k.running), k.events.begin(during, &k.running),
		k.journal.begin(during, &k.running), k.gateways.begin(during, &k.running))
	s.at = time.Now()
	var errs [5]error
	var headway timed[[]sale.Headway]
	headway, errs[0] = k.headway.last(s.at)
	s.headway = timed[map[int32]sale.Headway]{headway.known, make(map[int32]sale.Headway, len(headway.value)), headway.at}
	for _, h := range headway.value {
		s.headway.value[h.Partition] = h
	}
	s.ends, errs[1] = k.ends.last(s.at)
	s.events, errs[2] = k.events.last(s.at)
	s.journal, errs[3] = k.journal.last(s.at)
	live, err := k.gateways.last(s.at)
	errs[4] = err
	return s, max(1, live.value), errors.Join(errs[:]...)
}

// write brings the decision to the database where it differs from what that has, or is due to be renewed.
func (k *Keeper) write(ctx context.Context, next *sale.Brake, seen *sample) error {
	if !k.due(seen.at, next) {
		return nil
	}
	if err := k.Books.SetBrake(ctx, next, lasting); err != nil {
		return err
	}
	k.tell(next, seen)
	k.set, k.renewed = next, seen.at
	k.shown.show(next)
	return nil
}

// due reports whether the database needs a write: at the begin of a tenure, for a begin, an end or another reason, for a rate
// that differs by more than a tenth, and to renew.
func (k *Keeper) due(now time.Time, next *sale.Brake) bool {
	switch {
	case k.renewed.IsZero():
		return true
	case next == nil || k.set == nil:
		return next != k.set
	case next.Reason != k.set.Reason, now.Sub(k.renewed) >= renewAfter:
		return true
	}
	difference := max(next.PerGateway, k.set.PerGateway) - min(next.PerGateway, k.set.PerGateway)
	return difference*10 > k.set.PerGateway
}

// tell logs the begin and the end of a brake and a new reason.
func (k *Keeper) tell(next *sale.Brake, seen *sample) {
	switch {
	case next == nil && k.set != nil:
		k.Log.Info("purchases are not slowed any more")
	case next != nil && (k.set == nil || k.set.Reason != next.Reason):
		k.Log.Warn("purchases are slowed, because what is named waits beyond its bound", "reason", next.Reason,
			"per_second", next.PerSecond, "rows", k.meter.waiting(seen), "events", seen.events.value,
			"journal", seen.journal.value)
	}
}

// endLeftover waits until the brake of an earlier process has ended, and ends one that ran out.
func (k *Keeper) endLeftover(ctx context.Context) {
	working, end := context.WithCancel(ctx)
	defer end()
	loop := role.Loop{
		Name: "brake", Failing: "a brake of purchases that an earlier process has begun could not be ended", Log: k.Log,
		Every: renewAfter, Limit: unitTimeout,
		Unit: func(ctx context.Context) error {
			present, err := k.Books.Brake(ctx)
			if err != nil || present != nil {
				return err
			}
			if err = k.Books.SetBrake(ctx, nil, 0); err == nil {
				end()
			}
			return err
		},
	}
	loop.Run(working)
}
