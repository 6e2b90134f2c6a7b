package app

import (
	"context"
	"errors"
	"net"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"flashsale/admin"
	"flashsale/brake"
	"flashsale/events"
	"flashsale/expiry"
	"flashsale/kafka"
	"flashsale/logs"
	"flashsale/recovery"
	"flashsale/replica"
	"flashsale/scripts"
	"flashsale/settings"
	"flashsale/settle"
	"flashsale/store"
)

// RunSettle settles until ctx ends, then drains. It returns a *settings.Faults when it cannot open a listener.
func RunSettle(ctx context.Context, s *settings.Settings, log logs.Log) error {
	return runProcess(ctx, "settle", s, log, func(site *site) (processRole, error) {
		debug.SetGCPercent(s.Settle.GCPercent)
		return newSettleRole(site)
	})
}

// settleRole is the role that settles: consumer, dead letters, relay, rebuild, outbox, events, expiry, retention, brake
// and gauges, and the listener for probes.
type settleRole struct {
	*site
	probes     net.Listener
	registry   *prometheus.Registry
	started    *startup
	producer   *kafka.Producer
	settler    *settle.Settler
	controller *recovery.Controller
	archiver   *recovery.Archiver
	relay      *recovery.Relay
	outbox     *recovery.OutboxApplier
	events     *events.Publisher
	reaper     *expiry.Reaper
	retention  *settle.Retention
	gauges     *admin.Gauges
	brake      *brake.Governor
	kafka      *kafka.Probe
	stores     *admin.StoreWatch
	beater     *replica.Beater // nil without a replica
	clock      *scripts.Clock  // for the pulses before the relay runs
}

func newSettleRole(s *site) (*settleRole, error) {
	listeners, err := listenAll(SettleListeners(s.settings))
	if err != nil {
		return nil, err
	}
	r := &settleRole{
		site: s, probes: listeners[0], clock: scripts.NewClock(nil),
		registry: newRegistry(), // its own: another role may share the site
		started:  newStartup(checkDatabase, checkRedis, checkEngine, checkTopics, checkKafka),
		kafka:    kafka.NewProbe(KafkaOptions(s.settings), s.settings.Namespace),
	}
	if err := r.build(); err != nil {
		return nil, errors.Join(err, r.probes.Close())
	}
	return r, nil
}

func (r *settleRole) build() (err error) {
	refusals, err := kafka.NewRefusals(r.registry, r.log)
	if err != nil {
		return err
	}
	if r.producer, err = newProducer(r.settings, refusals.Of("orders")); err != nil {
		return err
	}
	r.controller = recovery.NewController(recovery.ControllerOptions{
		Redis: r.redis, Rebuilder: recovery.NewRebuilder(r.redis, r.producer, r.db),
		Catalogue: followed{r.db, r.orders}, Buckets: r.db, Units: r.db,
		Leases: r.db, Owner: r.holder, Tracer: r.tracer, Log: r.log,
	})
	r.archiver = newArchiver(r.site)
	r.relay = recovery.NewRelay(recovery.RelayOptions{
		Redis: r.redis, Publisher: r.producer, Leases: r.db, Owner: r.holder, Watched: r.controller.Watched,
		Deadline: r.settings.Reserve.RelayDeadline, Tracer: r.tracer, Log: r.log,
	})
	r.outbox = recovery.NewOutboxApplier(recovery.OutboxApplierOptions{
		Redis: r.redis, Outbox: r.db, Report: r.db, Leases: r.db, Owner: r.holder, Tracer: r.tracer, Log: r.log,
	})
	r.events, err = events.NewPublisher(events.PublisherOptions{
		Kafka: KafkaOptions(r.settings), Namespace: r.settings.Namespace, Outgoing: r.db, Leases: r.db, Owner: r.holder,
		Registerer: r.registry, Log: r.log, Pressed: func() bool { return r.settler.Pressed() },
		Refused: refusals.Of("events"), Tracer: r.tracer,
	})
	if err != nil {
		return err
	}
	r.reaper, err = expiry.NewReaper(expiry.ReaperOptions{
		Orders: r.db, Leases: r.db, Owner: r.holder, Registerer: r.registry, Log: r.log,
		FreezeAfter: r.settings.Expiry.FreezeAfter,
	})
	if err != nil {
		return err
	}
	r.settler, err = settle.New(settle.Options{
		Kafka: KafkaOptions(r.settings), Namespace: r.settings.Namespace, Partitions: int32(r.settings.Kafka.Partitions),
		MaxRows: r.settings.Settle.BatchMaxRows, MaxBytes: r.settings.Settle.BatchMaxBytes, Log: r.log,
		Refused: refusals.Of("dead"), Tracer: r.tracer,
		FetchMinBytes: r.settings.Settle.FetchMinBytes, FetchMaxWait: r.settings.Settle.FetchMaxWait,
	}, r.db, r.registry)
	if err != nil {
		return err
	}
	r.retention, err = settle.NewRetention(settle.RetentionOptions{
		Kafka: KafkaOptions(r.settings), Namespace: r.settings.Namespace, Keep: r.settings.Kafka.Retention,
		Settled: r.db, Leases: r.db, Owner: r.holder, Registerer: r.registry, Log: r.log,
	})
	if err != nil {
		return err
	}
	if r.brake, err = r.newBrake(); err != nil {
		return err
	}
	if r.settings.MySQL.ReadDSN != "" {
		r.beater = replica.NewBeater(replica.BeaterOptions{Beats: r.db, Leases: r.db, Owner: r.holder, Log: r.log})
	}
	r.gauges, err = admin.NewGauges(r.db, r.redis, r.registry, admin.GaugeOptions{Pauser: r.db, Logger: r.log})
	if err != nil {
		return err
	}
	r.stores = r.newStoreWatch(r.kafka)
	if !r.shared { // else the other role of the process has them
		err = register(r.registry, append(r.tracer.Collectors(), r.orders)...)
	}
	return errors.Join(err, register(r.registry, r.stores, newCertificateEnds(r.settings.Certificates())))
}

// newBrake returns the governor of the brake with the bounds of the settings.
func (r *settleRole) newBrake() (*brake.Governor, error) {
	ends, err := settle.NewEnds(KafkaOptions(r.settings), r.settings.Namespace)
	if err != nil {
		return nil, err
	}
	bounds := r.settings.Brake
	return brake.NewGovernor(brake.GovernorOptions{
		Bounds: brake.Bounds{
			Rows: int64(bounds.Rows), Events: int64(bounds.Events),
			Journal: journalBound(bounds.JournalPercent, r.settings.Reserve.JournalMaxOrders),
		},
		Books: r.db, Ends: ends, Journals: recovery.NewJournals(r.redis, r.controller.Watched),
		Leases: r.db, Owner: r.holder, Registerer: r.registry, Log: r.log,
	})
}

// journalBound returns the orders in a journal beyond which purchases are slowed, 0 for no bound.
func journalBound(percent, most int) int64 {
	if percent == 0 {
		return 0
	}
	return max(1, int64(most)*int64(percent)/100)
}

// ready returns what the process waits for.
func (r *settleRole) ready() map[string]string {
	if waiting := r.waiting(r.started)(); len(waiting) > 0 {
		return waiting
	}
	return r.settler.Ready() // the settler starts when every other check has passed
}

// metrics returns the registry of the role.
func (r *settleRole) metrics() prometheus.Gatherer { return r.registry }

// run settles until ctx ends, then finishes the running transactions.
func (r *settleRole) run(ctx context.Context) error {
	group, working := errgroup.WithContext(ctx)
	group.Go(func() error {
		probes := admin.NewProbes(admin.ProbesOptions{
			Gatherer: r.registry, Registerer: r.registry, Ready: r.ready, ClockAhead: r.relay.ClockAhead, Stores: r.stores,
			Tokens: r.settings.Tokens(), LogLevel: r.level, Process: r.holder, Tracer: r.tracer, Notes: r.db,
			Logger: r.log,
		})
		return serveHTTP(working, r.probes, probes, func() {}, time.Second)
	})
	group.Go(func() error { r.newBeat().Run(working); return nil })
	group.Go(func() error { r.stores.Run(working); return nil })
	if !r.shared {
		group.Go(func() error { r.orders.run(working); return nil })
	}
	group.Go(func() error {
		if err := r.awaitStores(working, r.started, r.producer, r.topics); err != nil || working.Err() != nil {
			return err
		}
		r.log.Info("settle is ready", "listen", r.probes.Addr().String())
		group.Go(func() error { return r.settle(working) })
		group.Go(func() error { r.gauges.Run(working); return nil })
		group.Go(func() error { r.relay.Run(working); return nil })
		group.Go(func() error { r.outbox.Run(working); return nil })
		group.Go(func() error { r.events.Run(working); return nil })
		group.Go(func() error { r.reaper.Run(working); return nil })
		group.Go(func() error { r.retention.Run(working); return nil })
		group.Go(func() error { r.brake.Run(working); return nil })
		group.Go(func() error { r.controller.Run(working); return nil })
		group.Go(func() error { r.archiver.Run(working); return nil })
		if r.beater != nil {
			group.Go(func() error { r.beater.Run(working); return nil })
		}
		group.Go(func() error { admin.ChainTrail(working, r.db, r.db, r.holder, r.log); return nil })
		group.Go(func() error { r.identity.Run(working); return nil })
		return nil
	})
	err := group.Wait()
	drain, cancel := context.WithTimeout(context.Background(), r.settings.Gateway.ShutdownTimeout)
	defer cancel()
	return errors.Join(err, r.producer.Close(drain), r.kafka.Close())
}

// settle settles until ctx ends. The engine must not sell what cannot settle: when the settler ends with an error that
// only an operator can repair, settle closes every bucket, and no bucket opens before settlement has passed the fence
// of its rebuild.
func (r *settleRole) settle(ctx context.Context) error {
	err := r.settler.Run(ctx)
	if err == nil {
		return nil
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
	defer cancel()
	return errors.Join(err, closeBuckets(closing, r.db))
}

// closingTime bounds the attempt to close every bucket.
const closingTime = 30 * time.Second

// closeBuckets closes every bucket that the database lists. Each sells again after its rebuild.
func closeBuckets(ctx context.Context, db *store.Store) error {
	changes, err := db.Changes(ctx, 0)
	if err != nil || len(changes.Buckets) == 0 {
		return err
	}
	_, err = db.CloseBuckets(ctx, changes.Buckets)
	return err
}
