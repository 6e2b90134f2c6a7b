package rehearse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"flashsale/app"
	"flashsale/kafka"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/store"
)

// Errors of a rehearsal that is refused before anything is made.
var (
	ErrSelling = errors.New("the sale sells")
	ErrRunning = errors.New("another rehearsal is running")
	ErrForeign = errors.New("not made by a rehearsal")
)

const (
	checkLimit = 20 * time.Second // of the checks before the first write, for each store
	silentFor  = 5 * time.Second  // after which a rehearsal that holds no lock is dead
	beatEvery  = time.Second
	beatLimit  = 5 * time.Second
)

// ground is where a rehearsal happens: the real engine, which is only read, and the three places of the shadow.
type ground struct {
	names  sale.Shadow
	kafka  kafka.Options
	real   *store.Store
	schema *store.ShadowSchema
	redis  *scripts.Redis // in the shadow's namespace
	lock   *store.ShadowLock

	sale        sale.Sale // the real one
	rules       sale.Rules
	notes       []string
	partitions  int32
	replication int16
}

// openGround reads the real sale, checks all rights, takes the lock and removes what a dead rehearsal has left. It writes
// nothing of a new rehearsal. Every error means that nothing was made.
func openGround(ctx context.Context, o *Options) (g *ground, err error) {
	schema, err := store.SchemaOf(o.Settings.MySQL.DSN.Reveal())
	if err != nil {
		return nil, err
	}
	g = &ground{kafka: app.KafkaOptions(o.Settings)}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
			g = nil
		}
	}()
	if g.names, err = sale.ShadowOf(o.Settings.Namespace, schema); err != nil {
		return g, err
	}
	if g.real, err = app.OpenStore(o.Settings); err != nil {
		return g, err
	}
	if g.schema, err = g.real.Shadow(g.names); err != nil {
		return g, err
	}
	if g.redis, err = app.OpenRedis(shadowSettings(o.Settings, g.names)); err != nil {
		return g, err
	}
	for _, check := range []func(context.Context) error{
		func(ctx context.Context) error { return g.readSale(ctx, o.Sale) }, g.checkRights,
		g.takeLock, g.removeRemains, g.checkForeign,
	} {
		if err := check(ctx); err != nil {
			return g, err
		}
	}
	return g, nil
}

// close gives the lock back and closes the connections.
func (g *ground) close() error {
	var faults []error
	if g.lock != nil {
		ctx, cancel := context.WithTimeout(context.Background(), beatLimit)
		defer cancel()
		faults = append(faults, g.lock.Release(ctx))
	}
	if g.redis != nil {
		g.redis.Close()
	}
	if g.schema != nil {
		faults = append(faults, g.schema.Close())
	}
	if g.real != nil {
		faults = append(faults, g.real.Close())
	}
	return errors.Join(faults...)
}

// readSale reads the sale and the rules, and refuses a sale that sells.
func (g *ground) readSale(ctx context.Context, id string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	if err := g.real.CheckSchema(ctx); err != nil {
		return err
	}
	if g.sale, err = g.real.Sale(ctx, id); errors.Is(err, sale.ErrNotFound) {
		return fmt.Errorf("%w: the database of mysql.dsn has no sale %s; flashsale sale list names its sales. Nothing was made",
			err, id)
	} else if err != nil {
		return err
	}
	if err := refuseSelling(&g.sale); err != nil {
		return err
	}
	if g.rules, err = g.real.Rules(ctx); err != nil {
		return err
	}
	if g.rules.Address != nil {
		g.rules.Address = nil // the whole crowd has one address
		g.notes = append(g.notes, "The rule on addresses was left out, because the crowd has one address.")
	}
	others, err := g.real.Sales(ctx)
	if err != nil {
		return err
	}
	var open []string
	for i := range others {
		if others[i].State == sale.StateOpen {
			open = append(open, others[i].ID)
		}
	}
	if len(open) > 0 {
		g.notes = append(g.notes, "Open at the same time, on the same servers: "+strings.Join(open, ", ")+".")
	}
	return nil
}

// refuseSelling refuses a sale that is under way: its buyers must not wait for a crowd that buys nothing.
func refuseSelling(s *sale.Sale) error {
	if s.State == sale.StateOpen || s.State == sale.StatePaused {
		return fmt.Errorf("%w: sale %s is %s, and a rehearsal takes its servers. Rehearse it before \"sale open\"; a copy under "+
			"another id can be rehearsed at any time. Nothing was made", ErrSelling, s.ID, s.State)
	}
	return nil
}

// checkRights tries each store's rights and reads the layout of the orders topic. Nothing is written.
func (g *ground) checkRights(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	if err := g.redis.CheckNamespaceRights(ctx); err != nil {
		return err
	}
	if err := g.schema.CheckRights(ctx); err != nil {
		return err
	}
	namespace, _ := g.names.Real()
	if g.partitions, g.replication, err = kafka.Layout(ctx, g.kafka, namespace); err != nil {
		return err
	}
	return kafka.CheckShadowRights(ctx, g.kafka, g.names, g.partitions, g.replication)
}

func (g *ground) takeLock(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	g.lock, err = g.schema.Lock(ctx)
	if errors.Is(err, sale.ErrLeaseHeld) {
		return fmt.Errorf("%w in schema %s: wait until it has ended", ErrRunning, g.names.Schema())
	}
	return err
}

// removeRemains removes what an earlier rehearsal has left. It waits until that one has been silent for long enough: the lock
// says that it is dead, but on a cluster of databases another node may have the lock, and its processes need a moment to end.
func (g *ground) removeRemains(ctx context.Context) (err error) {
	youngest := time.Duration(-1)
	done := role.Until(ctx, role.Always(beatEvery/2), func() bool {
		var remains *store.ShadowRemains
		remains, err = g.schema.Remains(ctx)
		switch {
		case err != nil || remains == nil:
			return true
		case remains.Age < 0 || remains.Age > silentFor:
			err = g.remove(ctx)
			return true
		case youngest >= 0 && remains.Age < youngest:
			err = fmt.Errorf("%w in schema %s: it was alive %s ago", ErrRunning, g.names.Schema(), remains.Age)
			return true
		}
		youngest = remains.Age
		return false
	})
	if !done {
		return context.Cause(ctx)
	}
	return err
}

// checkForeign refuses topics and keys that exist without a rehearsal's mark in the database.
func (g *ground) checkForeign(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	topics, err := kafka.ShadowTopics(ctx, g.kafka, g.names)
	if err != nil {
		return err
	}
	if len(topics) > 0 {
		return fmt.Errorf("topics %s exist and were %w. Nothing was changed: delete them, or give the engine another namespace",
			strings.Join(topics, ", "), ErrForeign)
	}
	owner, err := g.redis.Owner(ctx)
	if err == nil && owner != "" {
		err = fmt.Errorf("key %s exists in Redis and was %w. Nothing was changed: another engine has this namespace, or its "+
			"keys are left of one", g.redis.OwnerKey(), ErrForeign)
	}
	return err
}

// make makes the shadow's schema and topics. The mark in the schema is made first, so that the next rehearsal removes whatever
// this one leaves.
func (g *ground) make(ctx context.Context) error {
	if err := g.schema.Make(ctx); err != nil {
		return err
	}
	if _, err := g.schema.Store().PutRules(ctx, g.rules, nil); err != nil {
		return err
	}
	return kafka.CreateTopics(ctx, g.kafka, g.names.Namespace(), g.partitions, g.replication)
}

// remove removes the shadow: keys, then topics, then the schema with the mark. It is repeatable.
func (g *ground) remove(ctx context.Context) error {
	engine, sales, known, err := g.schema.Keys(ctx)
	if err == nil && known {
		err = g.redis.DropShadow(ctx, g.names, engine, sales)
	}
	if err == nil {
		err = kafka.DeleteShadow(ctx, g.kafka, g.names)
	}
	if err == nil {
		err = g.schema.Remove(ctx)
	}
	if err != nil {
		return fmt.Errorf("remove the shadow: %w. The next rehearsal removes what is left", err)
	}
	return nil
}

// watch tells once a second that the rehearsal is alive. It returns an error when it must end: the lock is lost, the database
// does not answer, or the real sale was opened.
func (g *ground) watch(ctx context.Context) error { return beating(ctx, g.beat) }

// beating beats until ctx ends or a beat fails. The end of ctx does not cut a beat off: its statement runs on the connection that
// has the lock, which the driver would close.
func beating(ctx context.Context, beat func(context.Context) error) (fault error) {
	role.Until(ctx, role.Always(beatEvery), func() bool {
		whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatLimit)
		defer cancel()
		if err := beat(whole); err != nil && ctx.Err() == nil {
			fault = err
		}
		return fault != nil
	})
	return fault
}

func (g *ground) beat(ctx context.Context) error {
	if err := g.lock.Check(ctx); err != nil {
		return err
	}
	if err := g.schema.Beat(ctx); err != nil {
		return err
	}
	now, err := g.real.Sale(ctx, g.sale.ID)
	if err != nil {
		return err
	}
	if now.State == sale.StateOpen {
		return fmt.Errorf("%w: sale %s was opened during its rehearsal, which has ended", ErrSelling, now.ID)
	}
	return nil
}
