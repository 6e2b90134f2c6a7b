//go:build !nodev

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"flashsale/adminclient"
	"flashsale/embedded"
	"flashsale/kafka"
	"flashsale/sale"
	"flashsale/settings"
	"flashsale/store"
)

// The sale that dev prepares.
const (
	devSale  = "demo"
	devSKU   = "phone"
	devStock = 10_000
	devBuyer = "alice"
)

// Run starts the engines, both roles and the demo sale, and stays until the process is asked to end.
func (c devCommand) Run(inv *invocation) (err error) {
	s, err := inv.processSettings("dev")
	if err != nil {
		return err
	}
	dir, remove, err := c.directory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	engines, err := embedded.Start(embedded.Options{Dir: dir})
	if err != nil {
		return fmt.Errorf("start the embedded engines: %w", err)
	}
	defer func() { err = errors.Join(err, engines.Close()) }()
	keptSecrets, err := keepSecrets(dir, s)
	if err != nil {
		return err
	}
	s.Redis, s.Kafka.Brokers = settings.Redis{Addrs: []string{engines.RedisAddr}}, engines.KafkaBrokers
	s.Kafka.TLS, s.Kafka.SASLMechanism, s.Kafka.Replication = false, "", 1
	place, err := newEmbeddedSite(s, newLogger(inv.stderr, s.Log.Level), engines.DSN)
	if err != nil {
		return err
	}
	defer place.close()
	if err := place.books.Migrate(inv.ctx); err != nil {
		return fmt.Errorf("migrate the embedded database: %w", err)
	}
	if err := closeLoaded(inv.ctx, place.books); err != nil {
		return fmt.Errorf("close the buckets of an earlier run: %w", err)
	}
	if err := kafka.CreateTopics(inv.ctx, kafkaOptions(s), s.Namespace, int32(s.Kafka.Partitions), 1); err != nil {
		return fmt.Errorf("create the embedded topics: %w", err)
	}
	home := devHome{dir: dir}
	if home.kept, err = keptData(inv.ctx, place.books, keptSecrets); err != nil {
		return fmt.Errorf("read what an earlier run has kept: %w", err)
	}
	return c.runRoles(inv, place, home)
}

// devHome is the data directory, and what was in it at the start.
type devHome struct{ dir, kept string }

// runRoles runs gateway and settle until the process is asked to end or one of them fails.
func (c devCommand) runRoles(inv *invocation, place *site, home devHome) error {
	ctx, stop := context.WithCancel(inv.ctx)
	defer stop()
	gateway, err := newGatewayRole(place)
	if err != nil {
		return err
	}
	settling, err := newSettleRole(place)
	if err != nil {
		return errors.Join(err, gateway.abandon())
	}
	defer ignoreHangup(place.log)()
	drained := watchEnding(inv.ctx, place.log, "dev", gateway.metrics(), settling.metrics())
	ended := make(chan error, 3)
	// The settling role ends after the gateway, so that what the gateway queued last is settled too.
	settleCtx, stopSettle := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSettle()
	go func() { ended <- settling.run(settleCtx); stop() }()
	go func() { err := gateway.run(ctx); stopSettle(); ended <- err; stop() }()
	go func() { ended <- c.present(ctx, inv, place, gateway, home) }()
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

// present prepares the demo sale through the operators' API, as an operator would, and tells how to use it.
func (c devCommand) present(ctx context.Context, inv *invocation, place *site, gateway *gatewayRole, home devHome) error {
	s := place.settings
	operators, err := adminclient.NewClient("http://"+gateway.operators.Addr().String(), s.Admin.Token.Reveal())
	if err != nil {
		return err
	}
	base := "http://" + gateway.buyers.Addr().String()
	until(ctx, func() bool { return len(gateway.ready()) == 0 })
	if err := prepareSale(ctx, operators, devSale, "Demo sale"); err != nil && ctx.Err() == nil {
		return fmt.Errorf("prepare the demo sale: %w", err)
	}
	until(ctx, func() bool { return answersBuyers(ctx, base, devSale) })
	if ctx.Err() != nil {
		return nil //nolint:nilerr // asked to end before it was ready
	}
	signer, err := newSigner(s)
	if err != nil {
		return err
	}
	token, err := signer.Token(devBuyer, min(24*time.Hour, s.Auth.MaxLifetime), time.Now())
	if err != nil {
		return err
	}
	shut, err := notSelling(ctx, operators)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("read the demo sale: %w", err)
	}
	kept := home.kept
	if kept != "" {
		kept = "  kept       " + kept + "\n"
	}
	fmt.Fprintf(inv.stdout, devBanner, base, gateway.operators.Addr(), home.dir, kept, s.Admin.Token.Reveal(), token,
		shut, base, devSale, devSKU, token)
	if !c.Demo {
		return nil
	}
	return runDemo(ctx, inv.stdout, place, operators, signer, base)
}

const devBanner = `flashsale dev: for trying and developing only. Redis, Kafka and the database are embedded in this process.
  buyers     %s
  operators  http://%s
  data       %s
%s  operators' token  %s
  buyer's token     %s
buy one%s:
  curl -i -X POST %s/v1/sales/%s/items/%s/orders -H 'Authorization: Bearer %s'
`

// prepareSale creates, loads and opens a sale of one SKU; one that is there from an earlier run goes on.
func prepareSale(ctx context.Context, operators *adminclient.Client, id, name string) error {
	_, err := operators.Sale(ctx, id)
	var refusal *adminclient.Refusal
	switch {
	case errors.As(err, &refusal) && refusal.Status == http.StatusNotFound:
		now := time.Now().UTC()
		definition := fmt.Sprintf(`{"name":%q,"starts_at":%q,"ends_at":%q,"items":[{"sku":%q,"stock":%d,"price_cents":129900}]}`,
			name, now.Add(-time.Minute).Format(time.RFC3339), now.AddDate(1, 0, 0).Format(time.RFC3339), devSKU, devStock)
		if _, err := operators.PutSale(ctx, id, []byte(definition)); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	for _, verb := range []string{"preload", "open"} {
		_, err := operators.Move(ctx, id, verb)
		// A sale of an earlier run may be paused or closed by its operator; that is his business.
		if errors.As(err, &refusal) && refusal.Code == "wrong_state" {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// notSelling says in the banner why the line to paste buys nothing, where an earlier run has left the sale so.
func notSelling(ctx context.Context, operators *adminclient.Client) (string, error) {
	stats, err := readStats(ctx, operators, devSale)
	switch {
	case err != nil:
		return "", err
	case stats.State == sale.StatePaused:
		return fmt.Sprintf(" (refused now: sale %s is paused; flashsale sale resume %s goes on with it)", devSale, devSale), nil
	case stats.State != sale.StateOpen:
		return fmt.Sprintf(" (refused now: sale %s is %s; a new --data-dir begins a new one)", devSale, stats.State), nil
	case stats.sum().Available == 0:
		return fmt.Sprintf(" (refused now: sale %s is sold out; a new --data-dir begins a new one)", devSale), nil
	}
	return "", nil
}

// until repeats a check until it passes or ctx ends.
func until(ctx context.Context, passed func() bool) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !passed() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// answersBuyers reports whether the gateway knows the sale and its stock, which it reads from the database a moment later
// than the operators' API has answered: the line to paste must work at once. A press without a token takes nothing and is
// told all that stands above the token.
func answersBuyers(ctx context.Context, base, id string) bool {
	url := base + "/v1/sales/" + id + "/items/" + devSKU + "/orders"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	var problem struct {
		Code string `json:"code"`
	}
	err = json.NewDecoder(answer.Body).Decode(&problem)
	unknown := answer.StatusCode == http.StatusNotFound || problem.Code == sale.OutcomeFenced.String()
	return err == nil && !unknown
}

// newEmbeddedSite is the site of dev.
func newEmbeddedSite(s *settings.Settings, log *slog.Logger, dsn string) (*site, error) {
	books, err := store.Open(store.Options{Driver: store.DriverSQLite, DSN: dsn})
	if err != nil {
		return nil, err
	}
	return newSiteOn(s, log, books, true)
}
