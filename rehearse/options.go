package rehearse

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"flashsale/loadtest"
	"flashsale/sale"
	"flashsale/settings"
)

// ErrUsage is wrapped by the error of options that no sale and no server could satisfy.
var ErrUsage = errors.New("wrong options")

// Options are what to rehearse and how.
type Options struct {
	Sale     string
	Buyers   int     // distinct
	Rate     float64 // arrivals a second; 0: all buyers arrive within defaultCrowdTime
	Repeat   float64 // share of arrivals that repeat a press
	Gateways int     // processes, 1 to maxProcesses
	Settles  int
	Seed     uint64

	Pay            float64       // share of the orders that are paid, 0 to 1
	PayURL         string        // of the shop that is told of an order; empty: the built-in payer
	PayWithin      time.Duration // a call-back counts as in time within this time
	CallbackListen string        // host:port at which the shop's call-backs arrive

	Limits Limits

	Settings *settings.Settings // of the real engine
	Binary   string             // of the processes that are started
	Environ  []string           // of these processes, besides the settings
	Progress io.Writer          // a line for each step
}

// Bounds and defaults.
const (
	maxProcesses     = 16
	maxRate          = 1_000_000
	maxRepeat        = 0.9
	defaultCrowdTime = 10 * time.Second
)

// Validate returns an error that wraps ErrUsage and names every fault.
func (o *Options) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(sale.ValidID(o.Sale), "sale %.70q is not a sale id", o.Sale)
	check(o.Buyers >= 1 && o.Buyers <= loadtest.MaxCrowd, "--buyers must be 1 to %d, not %d", loadtest.MaxCrowd, o.Buyers)
	check(o.Rate > 0 && o.Rate <= maxRate, "--rate must be above 0 and at most %d presses a second, not %g", maxRate, o.Rate)
	check(o.Repeat >= 0 && o.Repeat <= maxRepeat, "--repeat must be 0 to %g, not %g", maxRepeat, o.Repeat)
	check(o.Gateways >= 1 && o.Gateways <= maxProcesses, "--gateways must be 1 to %d, not %d", maxProcesses, o.Gateways)
	check(o.Settles >= 1 && o.Settles <= maxProcesses, "--settles must be 1 to %d, not %d", maxProcesses, o.Settles)
	check(o.Pay >= 0 && o.Pay <= 1, "--pay must be 0 to 1, not %g", o.Pay)
	check(o.PayWithin > 0, "--pay-within must be above 0s, not %s", o.PayWithin)
	check(o.PayURL == "" || isHTTP(o.PayURL), "--pay-url %.200q must be an http or https URL", o.PayURL)
	_, _, err := net.SplitHostPort(o.CallbackListen)
	check(err == nil, "--callback-listen %.70q must be host:port", o.CallbackListen)
	check(o.Limits.MaxP99 > 0, "--max-p99 must be above 0s, not %s", o.Limits.MaxP99)
	check(o.Limits.MaxDrain > 0, "--max-drain must be above 0s, not %s", o.Limits.MaxDrain)
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUsage, errors.Join(faults...))
}

func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// DefaultRate lets all buyers arrive within ten seconds.
func DefaultRate(buyers int) float64 { return max(float64(buyers)/defaultCrowdTime.Seconds(), 1) }

func (o *Options) say(format string, args ...any) {
	if o.Progress != nil {
		fmt.Fprintf(o.Progress, format+"\n", args...)
	}
}
