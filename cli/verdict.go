package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"flashsale/adminclient"
	"flashsale/app"
	"flashsale/audit"
	"flashsale/loadtest"
	"flashsale/sale"
	"flashsale/settings"
	"flashsale/store"
)

type loadVerdict struct {
	Sale    string        `arg:"" help:"Sale id."`
	History []string      `help:"Answers to buyers: files of load rush, k6 --out json or vegeta encode (json, csv)."`
	Wait    time.Duration `help:"Wait up to this long until no unit is in flight." default:"30s"`
	Output  string        `short:"o" enum:"text,json" default:"text" help:"Output format: text or json."`
}

// Run judges the sale.
func (c loadVerdict) Run(inv *invocation) error {
	s, err := inv.settings("load verdict")
	if err != nil {
		return err
	}
	source, err := openEvidence(s)
	if err != nil {
		return &exitError{ExitUnreadable, err}
	}
	defer source.db.Close()
	memory, err := c.memory()
	if err != nil {
		return &exitError{ExitUnreadable, err}
	}
	wait, cancel := context.WithTimeout(inv.ctx, c.Wait)
	defer cancel()
	if err := loadtest.WaitDrained(wait, source, c.Sale, time.Second/5); err != nil {
		return unjudged(err)
	}
	verdict, err := loadtest.Judge(inv.ctx, source, c.Sale, memory)
	if err != nil {
		err = inv.explain(source.db, err)
		if errors.Is(err, sale.ErrSchema) {
			err = source.located(err)
		}
		return unjudged(err)
	}
	if err := printAs(inv.stdout, c.Output, verdict, verdict.WriteTo); err != nil {
		return err
	}
	if !verdict.Good {
		return &exitError{code: ExitFailed}
	}
	return nil
}

// unjudged adds the exit code to the reason for no verdict: an unknown sale is an answer, and the answer is no.
func unjudged(err error) error {
	if errors.Is(err, sale.ErrNotFound) {
		return &exitError{ExitFailed, err}
	}
	return &exitError{ExitUnreadable, err}
}

// memory reads every history. It returns nil when there is none; then the answers to buyers are not judged.
func (c *loadVerdict) memory() (*loadtest.Memory, error) {
	if len(c.History) == 0 {
		return nil, nil
	}
	memory := loadtest.NewMemory(c.Sale)
	for _, name := range c.History {
		if err := remember(memory, name); err != nil {
			return nil, fmt.Errorf("history %s: %w", name, err)
		}
	}
	return memory, nil
}

func remember(memory *loadtest.Memory, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return loadtest.ReadHistory(file, memory.Add)
}

// evidence reads order rows from the database and the stock equation from the operators' API.
type evidence struct {
	db     *store.Store
	client *adminclient.Client
	dsn    string
}

func openEvidence(s *settings.Settings) (*evidence, error) {
	client, err := adminclient.NewClient(s.Admin.URL, s.Admin.Token.Reveal())
	if err != nil {
		return nil, err
	}
	db, err := app.OpenStore(s)
	if err != nil {
		return nil, err
	}
	return &evidence{db, client, s.MySQL.DSN.Reveal()}, nil
}

// Sale returns the sale's definition.
func (e *evidence) Sale(ctx context.Context, id string) (sale.Sale, error) {
	definition, err := e.db.Sale(ctx, id)
	return definition, e.located(err)
}

// EachOrder calls each with every order row of the sale.
func (e *evidence) EachOrder(ctx context.Context, id string, each func(sale.Order) error) error {
	return e.located(e.db.EachOrder(ctx, id, each))
}

// located adds the database's address and the next step. An unknown sale is an answer.
func (e *evidence) located(err error) error {
	if errors.Is(err, sale.ErrNotFound) {
		return err
	}
	return audit.DatabaseFault(e.dsn, "SELECT", err)
}

// Stock returns the terms of the stock equation by SKU.
func (e *evidence) Stock(ctx context.Context, id string) (map[string]sale.Stock, error) {
	answer, err := e.client.Audit(ctx, id)
	var refusal *adminclient.Refusal
	switch {
	case err == nil:
	case errors.As(err, &refusal) && refusal.Status == http.StatusNotFound:
		return nil, fmt.Errorf("sale %s: %w: %w", id, sale.ErrNotFound, refusal)
	case errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError:
		return nil, fmt.Errorf("%w: %w", loadtest.ErrRefused, err)
	default:
		return nil, err
	}
	stock := make(map[string]sale.Stock, len(answer.Items))
	for _, item := range answer.Items {
		stock[item.SKU] = item.Stock
	}
	return stock, nil
}
