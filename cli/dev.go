//go:build !nodev

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flashsale/adminclient"
	"flashsale/app"
	"flashsale/embedded"
	"flashsale/settings"
)

// Run starts the engines, both roles and the demo sale, and runs until the process is told to end.
func (c Dev) Run(inv *invocation) (err error) {
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
	dev, err := app.OpenDev(inv.ctx, s, newLogger(inv.stderr, s.Log.Level), engines)
	if err != nil {
		return err
	}
	defer dev.Close()
	home := devHome{dir: dir}
	if home.kept, err = keptData(inv.ctx, dev.Store(), keptSecrets); err != nil {
		return fmt.Errorf("read the data of an earlier run: %w", err)
	}
	signer, err := newSigner(s)
	if err != nil {
		return err
	}
	dev.OpenShop(devSale, func() (id, token string, err error) {
		id = "demo-" + randomHex(4)
		token, err = signer.Token(id, min(24*time.Hour, s.Auth.MaxLifetime), time.Now())
		return id, token, err
	})
	return dev.Run(inv.ctx, func(ctx context.Context, gateway *app.DevGateway) error {
		return c.present(ctx, inv, s, gateway, home)
	})
}

// devHome is the data directory and a description of what it contained at the start.
type devHome struct{ dir, kept string }

// present prepares the demo sale through the operators' API, as an operator would, and prints how to use it.
func (c Dev) present(ctx context.Context, inv *invocation, s *settings.Settings, gateway *app.DevGateway, home devHome) error {
	operators, err := adminclient.NewClient("http://"+gateway.Operators().String(), s.Admin.Token.Reveal())
	if err != nil {
		return err
	}
	base := "http://" + gateway.Buyers().String()
	until(ctx, gateway.Ready)
	if err := prepareSale(ctx, operators, devSale, "Demo sale"); err != nil && ctx.Err() == nil {
		return fmt.Errorf("prepare the demo sale: %w", err)
	}
	if !isArchived(ctx, operators, devSale) {
		until(ctx, func() bool { return answersBuyers(ctx, base, devSale) })
	}
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
	link := gateway.SignInOnce(s.Admin.Token.Reveal())
	fmt.Fprintf(inv.stdout, devBanner, base, base, gateway.Operators(), link, home.dir, kept, s.Admin.Token.Reveal(), token,
		shut, base, devSale, devSKU, token)
	if !c.Demo {
		return nil
	}
	crowd := demo{inv.stdout, gateway, operators, signer, base, min(time.Hour, s.Auth.MaxLifetime)}
	return crowd.run(ctx)
}

const devBanner = `flashsale dev: for trying and developing only. Redis, Kafka and the database are embedded in this process.
  buyers     %s
  shop page  %s/
  operators  http://%s
  console    %s   (signs in once, within ten minutes)
  data       %s
%s  operators' token  %s
  buyer's token     %s
buy one%s:
  curl -i -X POST %s/v1/sales/%s/items/%s/orders -H 'Authorization: Bearer %s'
`
