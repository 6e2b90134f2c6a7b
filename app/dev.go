//go:build !nodev

package app

import (
	"context"
	"errors"
	"fmt"
	"net"

	"flashsale/console"
	"flashsale/embedded"
	"flashsale/kafka"
	"flashsale/logs"
	"flashsale/settings"
	"flashsale/store"
	"flashsale/tracing"
)

// Dev runs both roles in one process, on embedded engines, for trying and developing only.
type Dev struct{ site *site }

// OpenDev points the settings at the embedded engines and prepares them: the schema, the topics, and every bucket
// closed.
func OpenDev(ctx context.Context, s *settings.Settings, log logs.Log, engines *embedded.Engines) (*Dev, error) {
	s.Redis, s.Kafka.Brokers = settings.Redis{Addrs: []string{engines.RedisAddr}}, engines.KafkaBrokers
	s.Kafka.TLS, s.Kafka.SASLMechanism, s.Kafka.Replication = false, "", 1
	open := func(_ *settings.Settings, tracer *tracing.Tracer, moved movedOrders) (*store.Store, error) {
		return store.Open(store.Options{Driver: store.DriverSQLite, DSN: engines.DSN, Tracer: tracer, Moved: moved})
	}
	site, err := openSite("dev", s, log, open, true)
	if err != nil {
		return nil, err
	}
	d := &Dev{site}
	if err := d.prepare(ctx); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// prepare closes the buckets of an earlier run, because the embedded Redis starts empty: each bucket must be rebuilt
// before it sells, and the preload of the demo sale waits for the rebuild.
func (d *Dev) prepare(ctx context.Context) error {
	if err := d.site.db.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate the embedded database: %w", err)
	}
	if err := closeBuckets(ctx, d.site.db); err != nil {
		return fmt.Errorf("close the buckets of an earlier run: %w", err)
	}
	s := d.site.settings
	if err := kafka.CreateTopics(ctx, KafkaOptions(s), s.Namespace, int32(s.Kafka.Partitions), 1); err != nil {
		return fmt.Errorf("create the embedded topics: %w", err)
	}
	return nil
}

// OpenShop gives the buyers' listener the shop page of a sale. newBuyer returns a buyer id and a token for it, for whoever opens
// the page. Call it before Run.
func (d *Dev) OpenShop(saleID string, newBuyer func() (id, token string, err error)) {
	d.site.pages = console.Shop(saleID, func() (console.Buyer, error) {
		id, token, err := newBuyer()
		return console.Buyer{ID: id, Token: token}, err
	})
}

// Store returns the embedded database.
func (d *Dev) Store() *store.Store { return d.site.db }

// Close closes the connections to the engines. Run must have returned.
func (d *Dev) Close() { d.site.close() }

// Run runs both roles and present, until ctx ends or one of the three fails.
func (d *Dev) Run(parent context.Context, present func(context.Context, *DevGateway) error) error {
	ctx, stop := context.WithCancel(parent)
	defer stop()
	gateway, err := newGatewayRole(d.site)
	if err != nil {
		return err
	}
	settling, err := newSettleRole(d.site)
	if err != nil {
		return errors.Join(err, gateway.abandon())
	}
	defer ignoreHangup(d.site.log)()
	drained := watchEnding(parent, d.site.log, "dev", gateway.metrics(), settling.metrics())
	ended := make(chan error, 3)
	// The settling role ends after the gateway, so that it settles what the gateway queued last.
	settleCtx, stopSettle := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSettle()
	go func() { ended <- settling.run(settleCtx); stop() }()
	go func() { err := gateway.run(ctx); stopSettle(); ended <- err; stop() }()
	go func() { ended <- present(ctx, &DevGateway{gateway}) }()
	var faults []error
	for range cap(ended) {
		fault := <-ended
		if fault != nil {
			stop()
		}
		faults = append(faults, fault)
	}
	drained(errors.Join(faults...))
	return errors.Join(faults...)
}

// DevGateway is the running gateway, for the function that presents it.
type DevGateway struct{ role *gatewayRole }

// Buyers returns the address of the buyers' listener.
func (g *DevGateway) Buyers() net.Addr { return g.role.buyers.Addr() }

// Operators returns the address of the operators' listener.
func (g *DevGateway) Operators() net.Addr { return g.role.operators.Addr() }

// SignInOnce returns the address of the console that signs a browser in as the bearer of a token, once and within ten minutes.
func (g *DevGateway) SignInOnce(token string) string {
	return "http://" + g.Operators().String() + "/?once=" + g.role.api.SignInOnce(token)
}

// Ready reports whether every readiness check of the gateway has passed.
func (g *DevGateway) Ready() bool { return len(g.role.ready()) == 0 }

// Presses counts presses of Buy by outcome, since the gateway started.
func (g *DevGateway) Presses() (map[string]int64, error) {
	series, err := countsOf(g.role.metrics(), "flashsale_purchases_total")
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, one := range series {
		counts[one.labels["outcome"]] += one.n
	}
	return counts, nil
}
