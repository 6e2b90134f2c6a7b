package rehearse

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"flashsale/adminclient"
	"flashsale/loadtest"
	"flashsale/sale"
	"flashsale/settings"
	"flashsale/store"
)

const (
	anyPort      = "127.0.0.1:0"
	childTimeout = 2 * time.Second // gateway.shutdown_timeout: nothing of the shadow is worth a longer wait
	saleLasts    = 24 * time.Hour
	saleBegan    = time.Minute // ago, so that a clock that differs does not close the sale
	secretBytes  = 32
	buyerPrefix  = "rehearsal-"
)

// shadowSettings returns the real settings with the shadow's names, addresses and secrets.
func shadowSettings(of *settings.Settings, names sale.Shadow) *settings.Settings {
	s := *of
	s.Namespace = names.Namespace()
	s.Gateway.Listen, s.Admin.Listen, s.Settle.Listen = anyPort, anyPort, anyPort
	s.Gateway.ShutdownTimeout = childTimeout
	s.Admin.Token, s.Shop.Token, s.Auth.HS256Secret = secret(), secret(), secret()
	s.Auth.HS256PreviousSecret, s.Admin.Tokens = "", ""
	s.MySQL.ReadDSN = "" // nothing of a shadow is read from a replica
	s.Log.Level = "info" // the processes say in their log where they listen
	return &s
}

func secret() settings.Secret {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // documented never to fail
	return settings.Secret(hex.EncodeToString(random))
}

// stage is the shadow at work: its processes and its sale.
type stage struct {
	*ground
	settings *settings.Settings // of the shadow
	children []*child
	gateways []string // base URLs for buyers
	base     string   // of the operators' API
	api      *adminclient.Client
	crowd    loadtest.Crowd
}

// build starts the processes of the shadow and opens its sale. On an error the caller tears down what there is.
func (st *stage) build(ctx context.Context, o *Options) error {
	st.settings = shadowSettings(o.Settings, st.names)
	dsn, err := store.InSchema(o.Settings.MySQL.DSN.Reveal(), st.names.Schema())
	if err != nil {
		return err
	}
	st.settings.MySQL.DSN = settings.Secret(dsn)
	st.settings.Kafka.Partitions = int(st.partitions)
	if st.crowd, err = st.newCrowd(o.Buyers); err != nil {
		return err
	}
	if err := st.startProcesses(ctx, o); err != nil {
		return err
	}
	o.say("%d gateways and %d settling processes are ready; loading %d SKUs in %d buckets", o.Gateways, o.Settles,
		len(st.sale.Items), st.sale.Buckets)
	return st.openSale(ctx)
}

func (st *stage) newCrowd(buyers int) (loadtest.Crowd, error) {
	auth := st.settings.Auth
	signer, err := loadtest.NewSigner([]byte(auth.HS256Secret.Reveal()), auth.Issuer, auth.Audience)
	if err != nil {
		return nil, err
	}
	return loadtest.NewCrowd(signer, buyerPrefix, buyers, min(time.Hour, auth.MaxLifetime), time.Now())
}

// startProcesses starts all processes, then waits for each.
func (st *stage) startProcesses(ctx context.Context, o *Options) error {
	environ := append(append([]string{}, o.Environ...), st.settings.Environ()...)
	for i := range o.Settles + o.Gateways {
		command := "settle"
		if i >= o.Settles {
			command = "gateway"
		}
		c, err := startChild(o.Binary, command, environ)
		if err != nil {
			return err
		}
		st.children = append(st.children, c)
	}
	for _, c := range st.children {
		probe := "listen"
		if c.name == "gateway" {
			probe = "operators"
		}
		listens, err := c.ready(ctx, probe)
		if err != nil {
			return err
		}
		if c.name != "gateway" {
			continue
		}
		st.gateways = append(st.gateways, "http://"+listens["buyers"])
		if st.api == nil {
			st.base = "http://" + listens["operators"]
			if st.api, err = adminclient.NewClient(st.base, st.settings.Admin.Token.Reveal()); err != nil {
				return err
			}
		}
	}
	return nil
}

// openSale creates the sale from the real definition, with a window that has begun, and loads and opens it.
func (st *stage) openSale(ctx context.Context) error {
	definition, err := definitionOf(&st.sale, time.Now())
	if err != nil {
		return err
	}
	if _, err := st.api.PutSale(ctx, st.sale.ID, definition); err != nil {
		return fmt.Errorf("create the shadow of the sale: %w", err)
	}
	if st.sale.Eligibility == sale.EligibilityList {
		var list strings.Builder
		for i := range st.crowd {
			fmt.Fprintln(&list, st.crowd[i].Buyer)
		}
		if _, err := st.api.PutBuyers(ctx, st.sale.ID, strings.NewReader(list.String())); err != nil {
			return fmt.Errorf("list the buyers of the shadow: %w", err)
		}
	}
	for _, verb := range []string{"preload", "open"} {
		if _, err := st.api.Move(ctx, st.sale.ID, verb); err != nil {
			return fmt.Errorf("%s the shadow of the sale: %w", verb, err)
		}
	}
	return nil
}

// definitionOf returns the body that creates a sale like the given one, which sells now.
func definitionOf(of *sale.Sale, now time.Time) ([]byte, error) {
	text, err := json.Marshal(of)
	var members map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	if err != nil {
		return nil, fmt.Errorf("encode sale %s: %w", of.ID, err)
	}
	delete(members, "sale")
	delete(members, "state")
	delete(members, "holds_frozen_since")
	for name, at := range map[string]time.Time{"starts_at": now.Add(-saleBegan), "ends_at": now.Add(saleLasts)} {
		members[name] = json.RawMessage(`"` + at.UTC().Format(time.RFC3339) + `"`)
	}
	return json.Marshal(members)
}

// tearDown ends the processes and removes the shadow.
func (st *stage) tearDown(ctx context.Context) error {
	var faults []error
	for _, c := range st.children {
		_ = c.stdin.Close() // all of them drain at the same time
	}
	for _, c := range st.children {
		faults = append(faults, c.end())
	}
	return errors.Join(append(faults, st.remove(ctx))...)
}
