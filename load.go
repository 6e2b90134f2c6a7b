package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"flashsale/adminclient"
	"flashsale/loadtest"
	"flashsale/sale"
	"flashsale/settings"
	"flashsale/store"
)

// loadCommand tests a sale under load and judges it from the books.
type loadCommand struct {
	Rush    loadRushCommand    `cmd:"" help:"Open-loop generator with distinct buyers and retries."`
	Targets loadTargetsCommand `cmd:"" help:"Print vegeta targets with distinct buyers, for vegeta attack -format=json."`
	Verdict loadVerdictCommand `cmd:"" help:"Judge a sale from the books: sold, oversold, lost, duplicated. Exit 1 when bad."`
}

// crowdFlags say who presses Buy on what.
type crowdFlags struct {
	URL    []string `name:"url" help:"Gateways, or the proxy in front of them. Default: where gateway.listen is."`
	Sale   string   `required:"" help:"Sale id."`
	SKU    []string `name:"sku" required:"" help:"SKUs to buy."`
	Buyers int      `help:"Distinct buyers, named PREFIX1 to PREFIXn." default:"10000"`
	Prefix string   `help:"What their ids start with." default:"load-"`
	Tokens string   `help:"File with one token a line, instead of signing tokens for --buyers. - for stdin."`
	tokenLife
}

// servers returns where to press: the URLs that were given, else where a gateway of this configuration listens.
func (c *crowdFlags) servers(inv *invocation) ([]string, error) {
	if len(c.URL) > 0 {
		return c.URL, nil
	}
	s, err := inv.settings("load") // not the whole command: tokens from a file need no secret
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(s.Gateway.Listen)
	if err != nil || port == "0" {
		return nil, &exitError{exitUsage, fmt.Errorf("gateway.listen %s names no port to press at: give --url", s.Gateway.Listen)}
	}
	if address := net.ParseIP(host); host == "" || address.IsUnspecified() {
		host = "127.0.0.1" // a listener for every address of the machine
	}
	return []string{"http://" + net.JoinHostPort(host, port)}, nil
}

func (c *crowdFlags) crowd(inv *invocation, command string) (loadtest.Crowd, error) {
	if c.Tokens != "" {
		in, err := adminclient.OpenInput(c.Tokens, inv.stdin)
		if err != nil {
			return nil, exitOf(err)
		}
		defer in.Close()
		return loadtest.ReadCrowd(in)
	}
	s, err := inv.settings(command)
	if err != nil {
		return nil, err
	}
	signer, err := newSigner(s)
	if err != nil {
		return nil, err
	}
	life, err := c.life(s)
	if err != nil {
		return nil, err
	}
	return loadtest.NewCrowd(signer, c.Prefix, c.Buyers, life, time.Now())
}

type loadRushCommand struct {
	crowdFlags
	Rate           float64       `help:"Arrivals a second." default:"5000"`
	Repeat         float64       `help:"Share of arrivals that are repeats: same key, no key or a new one." default:"0"`
	MaxQuantity    int           `help:"Each press asks for 1 to this many units." default:"1"`
	Connections    int           `help:"Connections open from the start." default:"256"`
	MaxConnections int           `help:"Connections opened when presses leave late." default:"4096"`
	Timeout        time.Duration `help:"Of one attempt." default:"10s"`
	MaxAttempts    int           `help:"Of one press, the first included." default:"10"`
	Seed           uint64        `help:"Of SKUs, quantities and repeats." default:"1"`
	History        string        `help:"File for what buyers were told, one JSON line an answer."`
	Output         string        `short:"o" enum:"text,json" default:"text" help:"text or json."`
}

// Run presses Buy for every buyer and prints the report.
func (c loadRushCommand) Run(inv *invocation) (err error) {
	crowd, err := c.crowd(inv, "load rush")
	if err != nil {
		return err
	}
	servers, err := c.servers(inv)
	if err != nil {
		return err
	}
	options := loadtest.RushOptions{
		Servers: servers, Sale: c.Sale, SKUs: c.SKU, Crowd: crowd, Rate: c.Rate, Repeat: c.Repeat,
		MaxQuantity: c.MaxQuantity, Connections: c.Connections, MaxConnections: c.MaxConnections,
		Timeout: c.Timeout, MaxAttempts: c.MaxAttempts, Seed: c.Seed, Progress: inv.stderr,
	}
	if c.History != "" {
		history, err := os.Create(c.History)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		defer func() { err = errors.Join(err, history.Close()) }()
		options.History = history
	}
	report, err := loadtest.Rush(inv.ctx, options)
	if report == nil {
		return err
	}
	return errors.Join(printAs(inv.stdout, c.Output, report, report.WriteTo), err)
}

type loadTargetsCommand struct {
	crowdFlags
	Quantity int `help:"Units of every press." default:"1"`
}

// Run prints one target a buyer.
func (c loadTargetsCommand) Run(inv *invocation) error {
	crowd, err := c.crowd(inv, "load targets")
	if err != nil {
		return err
	}
	servers, err := c.servers(inv)
	if err != nil {
		return err
	}
	return loadtest.WriteTargets(inv.stdout, loadtest.TargetOptions{
		Servers: servers, Sale: c.Sale, SKUs: c.SKU, Crowd: crowd, Quantity: c.Quantity,
	})
}

type loadVerdictCommand struct {
	Sale    string        `arg:"" help:"Sale id."`
	History []string      `help:"What buyers were told: files of load rush, of k6 (--out json) or of vegeta (encode --to json or csv)."`
	Wait    time.Duration `help:"First wait this long until nothing is in flight." default:"30s"`
	Output  string        `short:"o" enum:"text,json" default:"text" help:"text or json."`
}

// Run judges the sale.
func (c loadVerdictCommand) Run(inv *invocation) error {
	s, err := inv.settings("load verdict")
	if err != nil {
		return err
	}
	books, err := openVerdictBooks(s)
	if err != nil {
		return &exitError{exitUnreadable, err}
	}
	defer books.rows.Close()
	memory, err := c.memory()
	if err != nil {
		return &exitError{exitUnreadable, err}
	}
	wait, cancel := context.WithTimeout(inv.ctx, c.Wait)
	defer cancel()
	if err := loadtest.WaitDrained(wait, books, c.Sale, time.Second/5); err != nil {
		return unjudged(err)
	}
	verdict, err := loadtest.Judge(inv.ctx, books, c.Sale, memory)
	if err != nil {
		return unjudged(inv.explain(books.rows, err))
	}
	if err := printAs(inv.stdout, c.Output, verdict, verdict.WriteTo); err != nil {
		return err
	}
	if !verdict.Good {
		return &exitError{code: exitFailed}
	}
	return nil
}

// unjudged gives the reason for no verdict its exit code: a sale that is not there cannot be good, which is an answer.
func unjudged(err error) error {
	if errors.Is(err, sale.ErrNotFound) {
		return &exitError{exitFailed, err}
	}
	return &exitError{exitUnreadable, err}
}

// memory reads every history, nil when there is none: then what buyers were told is not judged.
func (c *loadVerdictCommand) memory() (*loadtest.Memory, error) {
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

// verdictBooks reads order rows from the database and the stock equation from the operators' API.
type verdictBooks struct {
	rows   *store.Store
	client *adminclient.Client
}

func openVerdictBooks(s *settings.Settings) (*verdictBooks, error) {
	client, err := adminclient.NewClient(s.Admin.URL, s.Admin.Token.Reveal())
	if err != nil {
		return nil, err
	}
	rows, err := openStore(s)
	if err != nil {
		return nil, err
	}
	return &verdictBooks{rows, client}, nil
}

// Sale returns the sale's definition.
func (b *verdictBooks) Sale(ctx context.Context, id string) (sale.Sale, error) {
	return b.rows.Sale(ctx, id)
}

// EachOrder calls each with every order row of the sale.
func (b *verdictBooks) EachOrder(ctx context.Context, id string, each func(sale.Order) error) error {
	return b.rows.EachOrder(ctx, id, each)
}

// Stock returns the terms of the stock equation by SKU.
func (b *verdictBooks) Stock(ctx context.Context, id string) (map[string]sale.Stock, error) {
	answer, err := b.client.Audit(ctx, id)
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

// printAs prints a result as indented JSON or as its own text.
func printAs(w io.Writer, output string, value any, text func(io.Writer) (int64, error)) error {
	if output != "json" {
		_, err := text(w)
		return err
	}
	lines := json.NewEncoder(w)
	lines.SetIndent("", "  ")
	return lines.Encode(value)
}
