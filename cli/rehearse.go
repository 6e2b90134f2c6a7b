package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"flashsale/audit"
	"flashsale/rehearse"
	"flashsale/settings"
)

// Rehearse tries a sale before the sale.
type Rehearse struct {
	Sale           string        `arg:"" help:"Sale id. The sale must exist and must not be open or paused."`
	Buyers         int           `required:"" help:"Distinct buyers of the crowd."`
	Rate           *float64      `help:"Presses per second. Default: all buyers press within 10 s."`
	Repeat         float64       `help:"Share of arrivals that repeat a press." default:"0.1"`
	Gateways       int           `help:"Gateways that are started for the rehearsal." default:"1"`
	Settles        int           `help:"Settling processes that are started for the rehearsal." default:"1"`
	Pay            float64       `help:"Share of the accepted orders that are paid, 0 to 1." default:"0.8"`
	PayURL         string        `name:"pay-url" help:"URL of a shop that is told of orders and calls back. Default: built-in."`
	PayWithin      time.Duration `help:"Time in which a payment call-back counts as in time." default:"30s"`
	CallbackListen string        `placeholder:"HOST:PORT" help:"Where the shop's call-backs arrive." default:"127.0.0.1:0"`
	MaxP99         time.Duration `name:"max-p99" help:"Largest p99 of the answers for a go." default:"500ms"`
	MaxDrain       time.Duration `help:"Longest time from the last answer to the last row for a go." default:"10s"`
	Seed           uint64        `help:"Seed for lines, repeats and payments." default:"1"`
	Report         string        `placeholder:"FILE.html" help:"File for the report with charts, one HTML page."`
	Output         string        `short:"o" enum:"text,json" default:"text" help:"Output format: text or json."`
}

// Run rehearses the sale and prints the report. Exit 0: go; 1: no-go, or refused.
func (c Rehearse) Run(inv *invocation) (err error) {
	options, err := c.options(inv)
	if err != nil {
		return err
	}
	page, err := openPage(c.Report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, page.close()) }()
	result, err := rehearse.Run(inv.ctx, options, certifyShadow)
	if result == nil {
		return err // exit code 1: a refusal is an answer
	}
	if page != nil {
		err = errors.Join(err, page.write(result.Page(madeBy(time.Now()))))
	}
	if err = errors.Join(err, printAs(inv.stdout, c.Output, result, result.WriteTo)); err != nil {
		return err
	}
	if !result.Go() {
		return &exitError{code: ExitFailed}
	}
	return nil
}

func (c *Rehearse) options(inv *invocation) (rehearse.Options, error) {
	rate := rehearse.DefaultRate(c.Buyers)
	if c.Rate != nil {
		rate = *c.Rate
	}
	options := rehearse.Options{
		Sale: c.Sale, Buyers: c.Buyers, Rate: rate, Repeat: c.Repeat, Gateways: c.Gateways, Settles: c.Settles, Seed: c.Seed,
		Pay: c.Pay, PayURL: c.PayURL, PayWithin: c.PayWithin, CallbackListen: c.CallbackListen,
		Limits:  rehearse.Limits{MaxP99: c.MaxP99, MaxDrain: c.MaxDrain},
		Environ: withoutSettings(os.Environ()), Progress: inv.stderr,
	}
	if err := options.Validate(); err != nil {
		return options, &exitError{ExitUsage, err}
	}
	var err error
	if options.Settings, err = inv.settings("rehearse"); err != nil {
		return options, err
	}
	if options.Binary, err = os.Executable(); err != nil {
		return options, fmt.Errorf("find the program to start: %w", err)
	}
	return options, nil
}

// withoutSettings leaves out the settings, because the processes of the shadow get their own.
func withoutSettings(environ []string) (kept []string) {
	for _, variable := range environ {
		if !strings.HasPrefix(variable, "FLASHSALE_") {
			kept = append(kept, variable)
		}
	}
	return kept
}

// certifyShadow reads the shadow's stores without the engine.
func certifyShadow(ctx context.Context, s *settings.Settings, id string) (string, []string, error) {
	found, err := certify(ctx, s, id)
	if err != nil {
		return "", nil, err
	}
	report := found.(certificate).Report
	violations := []string{}
	for _, line := range report.Invariants {
		if line.Verdict == audit.Violated {
			violations = append(violations, strings.TrimSpace(fmt.Sprintf("%s %s %s", line.Invariant, line.SKU, line.Detail)))
		}
	}
	return string(report.Verdict), violations, nil
}
