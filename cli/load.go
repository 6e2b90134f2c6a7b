package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"flashsale/adminclient"
	"flashsale/loadtest"
	"flashsale/sale"
)

// Load tests a sale under load and judges the result from the database.
type Load struct {
	Rush    loadRush    `cmd:"" help:"Run an open-loop load generator with distinct buyers and retries."`
	Targets loadTargets `cmd:"" help:"Print vegeta targets with distinct buyers, for vegeta attack -format=json."`
	Verdict loadVerdict `cmd:"" help:"Judge a sale from the database: sold, oversold, lost, duplicated. Exit 1 when bad."`
}

// crowdFlags name the buyers and what they buy.
type crowdFlags struct {
	URL    []string `name:"url" help:"Gateways, or the proxy in front of them. Default: gateway.listen."`
	Sale   string   `required:"" help:"Sale id."`
	SKU    []string `name:"sku" required:"" help:"SKUs to buy."`
	Buyers int      `help:"Distinct buyers, named PREFIX1 to PREFIXn." default:"10000"`
	Prefix string   `help:"Prefix of the buyer ids." default:"load-"`
	Tokens string   `help:"File with one token per line, used instead of signed tokens; - for stdin."`
	tokenLife
}

// servers returns the URLs to press at: those given, else the one of a gateway with this configuration.
func (c *crowdFlags) servers(inv *invocation) ([]string, error) {
	if len(c.URL) > 0 {
		return c.URL, nil
	}
	s, err := inv.settings("load") // only these settings: tokens from a file need no secret
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(s.Gateway.Listen)
	if err != nil || port == "0" {
		return nil, &exitError{ExitUsage, fmt.Errorf("gateway.listen %s has no port: set --url", s.Gateway.Listen)}
	}
	if address := net.ParseIP(host); host == "" || address.IsUnspecified() {
		host = "127.0.0.1" // the listener accepts every address of the machine
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

type loadRush struct {
	crowdFlags
	Rate           float64       `help:"Arrivals per second." default:"5000"`
	Repeat         float64       `help:"Share of arrivals that repeat a press: same key, no key or a new one." default:"0"`
	MaxQuantity    int           `help:"Largest quantity of a SKU; each press asks for 1 to this many units." default:"1"`
	Lines          int           `help:"Most SKUs of a press by the sale's path. 0: one SKU, by its path." default:"0"`
	Connections    int           `help:"Connections opened at the start." default:"256"`
	MaxConnections int           `help:"Connections opened when presses leave late." default:"4096"`
	Timeout        time.Duration `help:"Time limit of one attempt." default:"10s"`
	MaxAttempts    int           `help:"Attempts per press, including the first." default:"10"`
	Seed           uint64        `help:"Seed for lines, quantities and repeats." default:"1"`
	History        string        `help:"File for the answers to the buyers, one JSON line per answer."`
	Report         string        `placeholder:"FILE.html" help:"File for the report with charts, one HTML page."`
	Output         string        `short:"o" enum:"text,json" default:"text" help:"Output format: text or json."`
}

// Run presses Buy for every buyer and prints the report.
func (c loadRush) Run(inv *invocation) (err error) {
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
		MaxQuantity: c.MaxQuantity, MaxLines: c.Lines, Connections: c.Connections, MaxConnections: c.MaxConnections,
		Timeout: c.Timeout, MaxAttempts: c.MaxAttempts, Seed: c.Seed, Progress: inv.stderr,
	}
	if c.History != "" {
		history, err := os.Create(c.History)
		if err != nil {
			return &exitError{ExitUsage, err}
		}
		defer func() { err = errors.Join(err, history.Close()) }()
		options.History = history
	}
	page, err := openPage(c.Report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, page.close()) }()
	if page != nil {
		options.Timeline, options.Books = true, c.books(inv)
	}
	report, err := loadtest.Rush(inv.ctx, options)
	if report == nil {
		return err
	}
	if page != nil {
		err = errors.Join(err, page.write(report.Page(madeBy(time.Now()))))
	}
	return errors.Join(printAs(inv.stdout, c.Output, report, report.WriteTo), err)
}

// books returns what reads the books of the sale from the operators' API, nil where no token of operators is set.
func (c *loadRush) books(inv *invocation) func(context.Context) (map[string]sale.Stock, error) {
	s, err := inv.settings("load") // only these settings: tokens from a file need no secret
	if err != nil || s.Admin.Token == "" {
		return nil
	}
	client, err := adminclient.NewClient(s.Admin.URL, s.Admin.Token.Reveal())
	if err != nil {
		return func(context.Context) (map[string]sale.Stock, error) { return nil, err }
	}
	return func(ctx context.Context) (map[string]sale.Stock, error) { return client.Stock(ctx, c.Sale) }
}

type loadTargets struct {
	crowdFlags
	Quantity int `help:"Quantity of every press." default:"1"`
}

// Run prints one target per buyer.
func (c loadTargets) Run(inv *invocation) error {
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
