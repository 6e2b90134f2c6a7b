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
	"flashsale/console"
	"flashsale/gateway"
	"flashsale/kafka"
	"flashsale/logs"
	"flashsale/pulse"
	"flashsale/recovery"
	"flashsale/reserve"
	"flashsale/role"
	"flashsale/scripts"
	"flashsale/settings"
	"flashsale/settle"
	"flashsale/store"
)

// RunGateway serves buyers and operators until ctx ends, then drains. It returns a *settings.Faults when it cannot open
// a listener.
func RunGateway(ctx context.Context, s *settings.Settings, log logs.Log) error {
	return runProcess(ctx, "gateway", s, log, func(site *site) (processRole, error) {
		debug.SetGCPercent(s.Gateway.GCPercent)
		if s.Auth.Audience == "" {
			log.Warn("auth.audience is not set: tokens that the issuer made for other services are accepted too")
		}
		return newGatewayRole(site)
	})
}

// farewellTime is how long a gateway still answers after it was told to end, so that proxies and keep-alive clients
// switch to another gateway.
const farewellTime = time.Second

// gatewayRole is the role that sells: buyers' listener, operators' listener.
type gatewayRole struct {
	*site
	buyers, operators net.Listener
	started           *startup
	producer          *kafka.Producer
	ids               *reserve.OrderIDs
	engine            *reserve.Engine
	gateway           *gateway.Gateway
	catalogue         *store.Store // the follower's own connections, because readers of orders may use all others
	orders            *orderReads
	api               *admin.API
	recorder          *pulse.Recorder // what this process knows of all processes, for live screens
	kafka             *kafka.Probe
	stores            *admin.StoreWatch
}

// catalogueConnections are for the follower and for a list of buyers that is read at the same time.
const catalogueConnections = 2

func newGatewayRole(s *site) (*gatewayRole, error) {
	listeners, err := listenAll(GatewayListeners(s.settings))
	if err != nil {
		return nil, err
	}
	r := &gatewayRole{
		site: s, buyers: listeners[0], operators: listeners[1],
		started: newStartup(checkDatabase, checkRedis, checkEngine, checkTopics, checkKafka, checkNode),
		ids:     reserve.NewOrderIDs(s.db, s.holder, s.log), recorder: pulse.NewRecorder(),
		kafka: kafka.NewProbe(KafkaOptions(s.settings), s.settings.Namespace),
	}
	if err := r.build(); err != nil {
		return nil, errors.Join(err, r.abandon())
	}
	return r, nil
}

// build makes the parts; the stores need not be up.
func (r *gatewayRole) build() (err error) {
	refusals, err := kafka.NewRefusals(r.site.registry, r.log)
	if err != nil {
		return err
	}
	if r.producer, err = newProducer(r.settings, refusals.Of("orders")); err != nil {
		return err
	}
	breakers, err := gateway.NewBreakers()
	if err != nil {
		return err
	}
	g := r.settings.Gateway
	r.engine = reserve.NewEngine(reserve.EngineOptions{
		Redis: r.redis, Producer: r.producer, IDs: r.ids, AckTimeout: g.AckTimeout,
		JournalMaxOrders: r.settings.Reserve.JournalMaxOrders, BatchMaxOrders: r.settings.Reserve.BatchMaxOrders,
		BatchMaxWait: r.settings.Reserve.BatchMaxWait,
		Breaker:      breakers, Report: r.db, Buckets: r.db, Registerer: r.registry, Log: r.log,
		Tracer: r.tracer, Topic: kafka.TopicsOf(r.settings.Namespace).Orders,
	})
	if r.catalogue, err = r.db.Apart(catalogueConnections); err != nil {
		return err
	}
	if r.orders, err = newOrderReads(r.site); err != nil {
		return err
	}
	auth := r.settings.Auth
	keys, err := gateway.NewSecrets([]byte(auth.HS256Secret.Reveal()), []byte(auth.HS256PreviousSecret.Reveal()))
	if err != nil {
		return err
	}
	r.gateway, err = gateway.New(gateway.Options{
		Keys: keys, Issuer: auth.Issuer, Audience: auth.Audience, MaxLifetime: auth.MaxLifetime, Log: r.log,
		TrustedProxies: g.TrustedProxies, MaxConnections: boundConnections(r.log, g.MaxConnections),
		MaxInFlight: g.MaxInFlight, TokenCache: g.TokenCacheSize, FarewellTime: farewellTime, Pages: r.site.pages,
		AccessLogEvery: g.AccessLogEvery,
	}, gateway.Deps{
		Catalogue: followed{r.catalogue, r.site.orders}, Stock: r.engine, Levels: r.redis,
		Orders: r.orders.reads, Cancels: r.orders.cancels,
		Breakers: breakers, Checks: r.waiting(r.started), Registerer: r.registry, Tracer: r.tracer,
		Heartbeat: func(ctx context.Context, version int64) error { return r.catalogue.NoteGateway(ctx, r.holder, version) },
	})
	if err != nil {
		return err
	}
	r.stores = r.newStoreWatch()
	if err := register(r.site.registry, r.stores, r.site.orders, newCertificateEnds(r.settings.Certificates())); err != nil {
		return err
	}
	r.api = admin.New(admin.Options{
		Tokens: r.settings.Tokens(), Hosts: r.settings.Admin.Hosts,
		Version: ThisBuild().Version, Partitions: int32(r.settings.Kafka.Partitions), Now: r.engine.Now, Logger: r.log,
	}, admin.Deps{
		Sales: r.db, Preloads: r.db, Rules: r.db, Orders: r.db, Feed: r.db, Decisions: r.db, Holds: r.db,
		DeadLetters: deadLetters{r.db},
		Gateways:    r.db, Trail: r.db, Archives: r.db, Archiver: newArchiver(r.site),
		Stock:    operatorStock{r.redis, recovery.NewRebuilder(r.redis, r.producer, r.db)},
		Journals: r.engine, Tail: settle.NewTail(KafkaOptions(r.settings), r.settings.Namespace, r.db),
		Gatherer: r.registry, Registerer: r.registry, Ready: r.ready, ClockAhead: r.engine.ClockAhead,
		Console: console.Handler(), LogLevel: r.level, Process: r.holder, Tracer: r.tracer,
		Live: r.db, Pulses: r.recorder, Stores: r.stores,
	})
	return nil
}

// operatorStock is the operators' API's access to Redis: the connection, and the rebuild that a preload runs.
type operatorStock struct {
	*scripts.Redis
	*recovery.Rebuilder
}

// ready returns what the process waits for.
func (r *gatewayRole) ready() map[string]string { return r.gateway.Ready() }

// metrics returns the registry of the role.
func (r *gatewayRole) metrics() prometheus.Gatherer { return r.site.registry }

// abandon closes what a role that will not run has opened.
func (r *gatewayRole) abandon() error {
	return errors.Join(r.buyers.Close(), r.operators.Close(), r.closeDatabases())
}

// closeDatabases closes the connections besides the site's if they were opened.
func (r *gatewayRole) closeDatabases() (err error) {
	if r.catalogue != nil {
		err = r.catalogue.Close()
	}
	if r.orders != nil {
		err = errors.Join(err, r.orders.close())
	}
	return err
}

// run serves until ctx ends, then drains: buyers first, then the stock engine, then the producer.
func (r *gatewayRole) run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx, because running requests need it
	defer stop()
	group, serving := errgroup.WithContext(ctx)
	var roles errgroup.Group
	roles.Go(func() error { r.identity.Run(background); return nil })
	roles.Go(func() error { r.gateway.Run(background); return nil })
	roles.Go(func() error { r.site.orders.run(background); return nil })
	roles.Go(func() error { r.newBeat().Run(background); return nil })
	roles.Go(func() error { r.stores.Run(background); return nil })
	roles.Go(func() error { r.orders.run(background); return nil })
	group.Go(func() error { r.holdBuyers(serving); return r.gateway.Serve(r.buyers) })
	group.Go(func() error {
		return serveHTTP(serving, r.operators, r.api, r.api.StopStreams, r.settings.Gateway.ShutdownTimeout)
	})
	group.Go(func() error {
		return r.start(serving, func() { roles.Go(func() error { r.ids.Run(background); return nil }) })
	})
	group.Go(func() error { <-serving.Done(); return r.drain() })
	err := group.Wait()
	stop()
	err = errors.Join(err, roles.Wait())
	r.forget()
	return errors.Join(err, r.kafka.Close(), r.closeDatabases())
}

// holdTime is how long buyers' connections wait in the kernel for a gateway that is not ready yet.
const holdTime = time.Second

// holdBuyers waits until the gateway is ready, for holdTime at most. A proxy without health checks sends presses to a gateway as
// soon as it listens, and a start takes less than half a second where the stores are up: these presses wait instead of being
// refused. A gateway that waits longer for a store answers 503.
func (r *gatewayRole) holdBuyers(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, holdTime)
	defer cancel()
	role.Until(limit, role.Always(5*time.Millisecond), func() bool { return len(r.ready()) == 0 })
}

// forget deletes the gateway's row, which has the version of the catalogue that it sells by. It waits at most a second
// when the database is away.
func (r *gatewayRole) forget() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.catalogue.ForgetGateway(ctx, r.holder); err != nil {
		r.log.Warn("the gateway's row could not be deleted from the database", "error", err)
	}
}

// start waits for the stores and then calls lease, which leases the node id. The gateway sells nothing without a node
// id, so it sells nothing before it has reached every store.
func (r *gatewayRole) start(ctx context.Context, lease func()) error {
	if err := r.awaitStores(ctx, r.started, r.producer, r.knownTopics); err != nil || ctx.Err() != nil {
		return err
	}
	lease()
	if err := r.started.wait(ctx, r.log, checkNode, r.ids.Check); err != nil || ctx.Err() != nil {
		return err
	}
	r.log.Info("gateway is ready", "buyers", r.buyers.Addr().String(), "operators", r.operators.Addr().String())
	return nil
}

// drain ends the parts in the order in which they use each other.
func (r *gatewayRole) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), r.settings.Gateway.ShutdownTimeout)
	defer cancel()
	return errors.Join(r.gateway.Shutdown(ctx), r.engine.Drain(ctx), r.producer.Close(ctx))
}
