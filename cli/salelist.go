package cli

import (
	"errors"
	"fmt"
	"time"

	"flashsale/adminclient"
	"flashsale/terminal"
)

type saleList struct {
	Archived bool   `help:"Print archived sales too."`
	Output   string `short:"o" enum:"table,json" default:"table" help:"Output format: table, or json, the API's answer."`
}

// Run prints the sales. Where only the numbers cannot be read, it prints the table without them, and fails.
func (c saleList) Run(inv *invocation) error {
	client, err := inv.client("sale")
	if err != nil {
		return err
	}
	list := client.Sales
	if c.Archived {
		list = client.AllSales
	}
	answer, err := list(inv.ctx)
	if err != nil {
		return exitOf(err)
	}
	if c.Output == "json" {
		_, err = fmt.Fprintf(inv.stdout, "%s\n", answer)
		return err
	}
	sales, err := terminal.ReadSales(answer)
	if err != nil {
		return exitOf(err)
	}
	live, unread := liveSales(inv, client)
	now := time.Now()
	if live != nil {
		now = live.At.Time
	}
	return errors.Join(terminal.WriteSales(inv.stdout, sales, live, now), unread)
}

// liveSales reads the numbers of all sales, nil with an error where they cannot be read.
func liveSales(inv *invocation, client *adminclient.Client) (*terminal.LiveSales, error) {
	answer, err := client.LiveSales(inv.ctx)
	if err != nil {
		return nil, exitOf(fmt.Errorf("read the numbers of the sales: %w", err))
	}
	live, err := terminal.ReadLiveSales(answer)
	return &live, exitOf(err)
}
