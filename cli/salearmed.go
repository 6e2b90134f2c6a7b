package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"flashsale/adminclient"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/terminal"
)

type saleArmed struct {
	Within time.Duration `default:"1h" help:"A sale whose window begins in this time is armed too."`
	Wait   time.Duration `default:"0s" help:"Longest wait until no sale is armed. 0s: no wait."`
}

// Run prints a line for each armed sale and fails when there is one, so that a deployment asks before a rollout. With --wait
// it asks until there is none; the lines are those of the last answer.
func (c saleArmed) Run(inv *invocation) error {
	if c.Within < 0 || c.Wait < 0 {
		return &exitError{ExitUsage, fmt.Errorf("--within and --wait are durations of 0s or more")}
	}
	client, err := inv.client("sale")
	if err != nil {
		return err
	}
	armed, err := c.await(inv.ctx, client)
	if err != nil {
		return exitOf(err)
	}
	for i := range armed {
		if err := armedLine(inv.stdout, &armed[i]); err != nil {
			return err
		}
	}
	switch len(armed) {
	case 0:
	case 1:
		return &exitError{ExitFailed, errors.New("1 sale is armed: no rollout before its window is over")}
	default:
		return &exitError{ExitFailed, fmt.Errorf("%d sales are armed: no rollout before their windows are over", len(armed))}
	}
	_, err = fmt.Fprintln(inv.stdout, "no sale is armed")
	return err
}

// await returns the armed sales, none as soon as an answer has none. With --wait it asks again after an error: a rollout that
// waits outlives the restart of the gateway that it asks.
func (c saleArmed) await(ctx context.Context, client *adminclient.Client) (armed []sale.Sale, err error) {
	waiting, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	role.Until(waiting, role.Backoff, func() (done bool) {
		armed, err = c.ask(ctx, client)
		return err == nil && len(armed) == 0
	})
	return armed, err
}

// ask returns the sales that are armed now.
func (c saleArmed) ask(ctx context.Context, client *adminclient.Client) ([]sale.Sale, error) {
	answer, err := client.Sales(ctx)
	if err != nil {
		return nil, err
	}
	all, err := terminal.ReadSales(answer)
	if err != nil {
		return nil, err
	}
	var armed []sale.Sale
	now := time.Now()
	for i := range all.Sales {
		if all.Sales[i].Armed(now, c.Within) {
			armed = append(armed, all.Sales[i].Sale)
		}
	}
	return armed, nil
}

func armedLine(to io.Writer, s *sale.Sale) error {
	_, err := fmt.Fprintf(to, "%s: %s, sells from %s to %s\n", s.ID, s.State, s.StartsAt, s.EndsAt)
	return err
}
