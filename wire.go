package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"flashsale/admin"
	"flashsale/events"
	"flashsale/expiry"
	"flashsale/gateway"
	"flashsale/kafka"
	"flashsale/reserve"
	"flashsale/settings"
	"flashsale/settle"
	"flashsale/store"
)

// site is what the roles of one process share: settings, log, and the stores, none of which need be up.
type site struct {
	settings *settings.Settings
	log      *slog.Logger
	books    *store.Store
	redis    *reserve.Redis
	identity *reserve.Identity
	holder   string // names this process in leases, and no other
	registry *prometheus.Registry
}

func newSite(s *settings.Settings, log *slog.Logger) (*site, error) {
	books, err := openStore(s)
	if err != nil {
		return nil, err
	}
	return newSiteOn(s, log, books, false)
}

func newSiteOn(s *settings.Settings, log *slog.Logger, books *store.Store, embedded bool) (*site, error) {
	redis, err := reserve.Dial(reserve.Options{
		Namespace: s.Namespace, Addrs: s.Redis.Addrs, Username: s.Redis.Username, Password: s.Redis.Password.Reveal(),
		TLS: s.Redis.TLS, Connections: s.Redis.Connections, Embedded: embedded,
	})
	if err != nil {
		return nil, errors.Join(err, books.Close())
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &site{
		settings: s, log: log, books: books, redis: redis, registry: newRegistry(),
		identity: reserve.NewIdentity(redis, books, log),
		holder:   fmt.Sprintf("%.40s/%d/%s", host, os.Getpid(), randomHex(8)),
	}, nil
}

// newRegistry returns a registry with what every process shows.
func newRegistry() *prometheus.Registry {
	b := thisBuild()
	registry := prometheus.NewRegistry()
	registry.MustRegister(admin.NewBuildInfo(b.version, b.commit), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// close ends the connections to the stores. Whoever uses them has ended before.
func (s *site) close() {
	s.redis.Close()
	if err := s.books.Close(); err != nil {
		s.log.Warn("the database connections did not close", "error", err)
	}
}

func (s *site) producer(refused func(error)) (*kafka.Producer, error) {
	return kafka.NewProducer(kafka.ProducerOptions{
		Kafka: kafkaOptions(s.settings), Topic: kafka.TopicsOf(s.settings.Namespace).Orders,
		Linger: s.settings.Kafka.Linger, Refused: refused,
	})
}

// awaitStores waits for everything a process needs at its start, for all of it at once, so that /readyz names exactly what
// is away. It returns an error only where waiting cannot help.
func (s *site) awaitStores(ctx context.Context, started *startup, producer *kafka.Producer, topics func(context.Context) error) error {
	group, waiting := errgroup.WithContext(ctx)
	for name, check := range map[string]func(context.Context) error{
		checkDatabase: s.books.CheckSchema,
		checkRedis:    s.redis.Ping,
		checkEngine:   s.identity.Check,
		checkTopics:   topics,
		checkKafka:    yet(producer.Ready),
	} {
		group.Go(func() error { return started.wait(waiting, s.log, name, check) })
	}
	return group.Wait()
}

func (s *site) topics(ctx context.Context) error {
	return kafka.CheckTopics(ctx, kafkaOptions(s.settings), s.settings.Namespace, int32(s.settings.Kafka.Partitions))
}

// knownTopics is for a process that only produces: a topic that is another one than the database knows must get no orders.
// A process that settles finds that out for itself, and more, and ends.
func (s *site) knownTopics(ctx context.Context) error {
	if err := s.topics(ctx); err != nil {
		return err
	}
	return settle.CheckPositions(ctx, kafkaOptions(s.settings), s.settings.Namespace, s.books)
}

// waiting returns what a process waits for: what its start still needs, and a Redis that turned out to be somebody else's.
func (s *site) waiting(started *startup) func() map[string]string {
	return func() map[string]string {
		waiting := started.Ready()
		if doubt := s.identity.Doubt(); doubt != nil && waiting[checkEngine] == "" {
			waiting[checkEngine] = doubt.Error()
		}
		return waiting
	}
}

// Names of the checks that /readyz shows.
const (
	checkDatabase = "database"
	checkRedis    = "redis"
	checkEngine   = "engine"
	checkTopics   = "topics"
	checkKafka    = "kafka"
	checkNode     = "node_id"
)

// farewellTime is how long a gateway that was asked to end goes on answering, so that proxies and keep-alive clients turn to
// another one by themselves.
const farewellTime = time.Second

// gatewayRole is the gateway process: buyers' listener, operators' listener.
type gatewayRole struct {
	*site
	buyers, operators net.Listener
	started           *startup
	producer          *kafka.Producer
	ids               *reserve.OrderIDs
	engine            *reserve.Engine
	gateway           *gateway.Gateway
	catalogue         *store.Store // the follower's own connections: readers of orders may take all others
	api               *admin.API
}

// catalogueConnections are for the follower, and for the list of buyers that may be read beside it.
const catalogueConnections = 2

func newGatewayRole(s *site) (*gatewayRole, error) {
	listeners, err := listenAll(listenersOf("gateway", s.settings))
	if err != nil {
		return nil, err
	}
	r := &gatewayRole{
		site: s, buyers: listeners[0], operators: listeners[1],
		started: newStartup(checkDatabase, checkRedis, checkEngine, checkTopics, checkKafka, checkNode),
		ids:     reserve.NewOrderIDs(s.books, s.holder, s.log),
	}
	if err := r.build(); err != nil {
		return nil, errors.Join(err, r.abandon())
	}
	return r, nil
}

// build makes the parts; no store need be up.
func (r *gatewayRole) build() (err error) {
	refusals, err := kafka.NewRefusals(r.site.registry, r.log)
	if err != nil {
		return err
	}
	if r.producer, err = r.site.producer(refusals.Of("orders")); err != nil {
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
		Breaker:      breakers, Report: r.books, Books: r.books, Registerer: r.registry, Log: r.log,
	})
	if r.catalogue, err = r.books.Apart(catalogueConnections); err != nil {
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
		MaxInFlight: g.MaxInFlight, TokenCache: g.TokenCacheSize, FarewellTime: farewellTime,
	}, gateway.Deps{
		Catalogue: r.catalogue, Stock: r.engine, Levels: r.redis, Orders: r.books, Cancels: r.books, Breakers: breakers,
		Checks: r.waiting(r.started), Registerer: r.registry,
		Noted: func(ctx context.Context, version int64) error { return r.catalogue.NoteGateway(ctx, r.holder, version) },
	})
	if err != nil {
		return err
	}
	r.api = admin.New(admin.Options{
		AdminToken: r.settings.Admin.Token.Reveal(), ShopToken: r.settings.Shop.Token.Reveal(),
		Version: thisBuild().version, Partitions: int32(r.settings.Kafka.Partitions), Now: r.engine.Now, Logger: r.log,
	}, admin.Deps{
		Sales: r.books, Preloads: r.books, Rules: r.books, Orders: r.books, Decisions: r.books,
		Gateways: r.books,
		Stock:    operatorStock{r.redis, reserve.NewRebuilder(r.redis, r.producer, r.books)},
		Journals: r.engine, Tail: settle.NewTail(kafkaOptions(r.settings), r.settings.Namespace, r.books),
		Gatherer: r.registry, Registerer: r.registry, Ready: r.ready, ClockAhead: r.engine.ClockAhead,
	})
	return nil
}

// operatorStock is what the operators' API does to Redis: the connection, and the rebuild that a preload is.
type operatorStock struct {
	*reserve.Redis
	*reserve.Rebuilder
}

// ready returns what the process waits for.
func (r *gatewayRole) ready() map[string]string { return r.gateway.Ready() }

// metrics returns what the process counts.
func (r *gatewayRole) metrics() prometheus.Gatherer { return r.site.registry }

// abandon closes what a role that will not run has opened.
func (r *gatewayRole) abandon() error {
	return errors.Join(r.buyers.Close(), r.operators.Close(), r.closeCatalogue())
}

// closeCatalogue ends the follower's connections, where they were opened.
func (r *gatewayRole) closeCatalogue() error {
	if r.catalogue == nil {
		return nil
	}
	return r.catalogue.Close()
}

// run serves until ctx ends, then drains: buyers first, then the stock engine, then the producer.
func (r *gatewayRole) run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx: answers under way need it
	defer stop()
	group, serving := errgroup.WithContext(ctx)
	var roles errgroup.Group
	roles.Go(func() error { return r.identity.Run(background) })
	roles.Go(func() error { r.gateway.Run(background); return nil })
	group.Go(func() error { return r.gateway.Serve(r.buyers) })
	group.Go(func() error {
		return serveHTTP(serving, r.operators, r.api, r.api.StopStreams, r.settings.Gateway.ShutdownTimeout)
	})
	group.Go(func() error {
		return r.start(serving, func() { roles.Go(func() error { return r.ids.Run(background) }) })
	})
	group.Go(func() error { <-serving.Done(); return r.drain() })
	err := group.Wait()
	stop()
	err = errors.Join(err, roles.Wait())
	r.forget()
	return errors.Join(err, r.closeCatalogue())
}

// forget takes back the gateway's word of what it sells by. Where the database is away nobody waits for it for long.
func (r *gatewayRole) forget() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.catalogue.ForgetGateway(ctx, r.holder); err != nil {
		r.log.Warn("the gateway is still named in the database", "error", err)
	}
}

// start leases the node id last, by lease: without one nothing is sold, so nothing is sold before every store was reached.
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

func (r *gatewayRole) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), r.settings.Gateway.ShutdownTimeout)
	defer cancel()
	return errors.Join(r.gateway.Shutdown(ctx), r.engine.Drain(ctx), r.producer.Close(ctx))
}

// settleRole is the settling process: consumer, relay, rebuild, outbox, events, expiry, gauges, probes.
type settleRole struct {
	*site
	probes   net.Listener
	registry *prometheus.Registry
	started  *startup
	producer *kafka.Producer
	settler  *settle.Settler
	keeper   *reserve.Keeper
	relay    *reserve.Relay
	courier  *reserve.Courier
	events   *events.Publisher
	reaper   *expiry.Reaper
	gauges   *admin.Gauges
}

func newSettleRole(s *site) (*settleRole, error) {
	listeners, err := listenAll(listenersOf("settle", s.settings))
	if err != nil {
		return nil, err
	}
	r := &settleRole{
		site: s, probes: listeners[0], registry: newRegistry(), // its own registry: dev has both roles in one process
		started: newStartup(checkDatabase, checkRedis, checkEngine, checkTopics, checkKafka),
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
	if r.producer, err = r.site.producer(refusals.Of("orders")); err != nil {
		return err
	}
	r.keeper = reserve.NewKeeper(reserve.KeeperOptions{
		Redis: r.redis, Rebuilder: reserve.NewRebuilder(r.redis, r.producer, r.books),
		Catalogue: r.books, Books: r.books, Units: r.books, Leases: r.books, Holder: r.holder, Log: r.log,
	})
	r.relay = reserve.NewRelay(reserve.RelayOptions{
		Redis: r.redis, Publisher: r.producer, Leases: r.books, Holder: r.holder, Watched: r.keeper.Watched,
		Deadline: r.settings.Reserve.RelayDeadline, Log: r.log,
	})
	r.courier = reserve.NewCourier(reserve.CourierOptions{
		Redis: r.redis, Outbox: r.books, Report: r.books, Leases: r.books, Holder: r.holder, Log: r.log,
	})
	r.events, err = events.NewPublisher(events.PublisherOptions{
		Kafka: kafkaOptions(r.settings), Namespace: r.settings.Namespace, Outgoing: r.books, Leases: r.books, Holder: r.holder,
		Registerer: r.registry, Log: r.log, Pressed: func() bool { return r.settler.Pressed() },
		Refused: refusals.Of("events"),
	})
	if err != nil {
		return err
	}
	r.reaper, err = expiry.NewReaper(expiry.ReaperOptions{
		Orders: r.books, Leases: r.books, Holder: r.holder, Registerer: r.registry, Log: r.log,
	})
	if err != nil {
		return err
	}
	r.settler, err = settle.New(settle.Options{
		Kafka: kafkaOptions(r.settings), Namespace: r.settings.Namespace, Partitions: int32(r.settings.Kafka.Partitions),
		MaxRows: r.settings.Settle.BatchMaxRows, MaxBytes: r.settings.Settle.BatchMaxBytes, Log: r.log,
		Refused: refusals.Of("dead"), FetchMinBytes: r.settings.Settle.FetchMinBytes, FetchMaxWait: r.settings.Settle.FetchMaxWait,
	}, r.books, r.registry)
	if err != nil {
		return err
	}
	r.gauges, err = admin.NewGauges(r.books, r.redis, r.registry, admin.GaugeOptions{Pauser: r.books, Logger: r.log})
	return err
}

// ready returns what the process waits for.
func (r *settleRole) ready() map[string]string {
	if waiting := r.waiting(r.started)(); len(waiting) > 0 {
		return waiting
	}
	return r.settler.Ready() // it begins when nothing else is waited for
}

// metrics returns what the process counts.
func (r *settleRole) metrics() prometheus.Gatherer { return r.registry }

// run settles until ctx ends, then finishes the transactions under way.
func (r *settleRole) run(ctx context.Context) error {
	group, working := errgroup.WithContext(ctx)
	group.Go(func() error {
		probes := admin.NewProbes(admin.ProbesOptions{
			Gatherer: r.registry, Registerer: r.registry, Ready: r.ready, ClockAhead: r.relay.ClockAhead,
			AdminToken: r.settings.Admin.Token.Reveal(), Logger: r.log,
		})
		return serveHTTP(working, r.probes, probes, func() {}, time.Second)
	})
	group.Go(func() error {
		if err := r.awaitStores(working, r.started, r.producer, r.topics); err != nil || working.Err() != nil {
			return err
		}
		r.log.Info("settle is ready", "listen", r.probes.Addr().String())
		group.Go(func() error { return r.settle(working) })
		group.Go(func() error { r.gauges.Run(working); return nil })
		group.Go(func() error { return r.relay.Run(working) })
		group.Go(func() error { return r.courier.Run(working) })
		group.Go(func() error { r.events.Run(working); return nil })
		group.Go(func() error { r.reaper.Run(working); return nil })
		group.Go(func() error { return r.keeper.Run(working) })
		group.Go(func() error { return r.identity.Run(working) })
		return nil
	})
	err := group.Wait()
	drain, cancel := context.WithTimeout(context.Background(), r.settings.Gateway.ShutdownTimeout)
	defer cancel()
	return errors.Join(err, r.producer.Close(drain))
}

// settle settles until ctx ends. What cannot settle must not be sold: where settlement found what only an operator can
// mend, every bucket is closed, and none opens again before settlement passes the fence of its rebuild.
func (r *settleRole) settle(ctx context.Context) error {
	err := r.settler.Run(ctx)
	if err == nil {
		return nil
	}
	closing, cancel := within(context.WithoutCancel(ctx))
	defer cancel()
	return errors.Join(err, closeLoaded(closing, r.books))
}

// closeLoaded closes every bucket that an earlier run left open: the embedded Redis begins empty, so each has to be rebuilt
// before anyone may buy from it, and the preload of the demo sale waits for just that.
func closeLoaded(ctx context.Context, books *store.Store) error {
	changes, err := books.Changes(ctx, 0)
	if err != nil || len(changes.Buckets) == 0 {
		return err
	}
	_, err = books.CloseBuckets(ctx, changes.Buckets)
	return err
}
