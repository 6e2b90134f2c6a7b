package cli

import (
	"errors"
	"fmt"
	"time"

	"flashsale/adminclient"
	"flashsale/sale"
	"flashsale/terminal"
)

type saleShow struct {
	Sale   string `arg:"" help:"Sale id."`
	Output string `short:"o" enum:"table,json,yaml" default:"table" help:"table; json: the API's answer; yaml: for create -f."`
}

// Run prints the sale. Where only its numbers cannot be read, it prints the table without them, and fails.
func (c saleShow) Run(inv *invocation) error {
	if c.Output != "table" {
		return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
			answer, err := client.Sale(inv.ctx, c.Sale)
			if err != nil || c.Output == "json" {
				return answer, err
			}
			return adminclient.DefinitionYAML(answer)
		})
	}
	client, err := inv.client("sale")
	if err != nil {
		return err
	}
	answer, err := client.Sale(inv.ctx, c.Sale)
	if err != nil {
		return exitOf(err)
	}
	s, err := terminal.ReadSale(answer)
	if err != nil {
		return exitOf(err)
	}
	if s.State == sale.StateArchived {
		return terminal.WriteSale(inv.stdout, &s, nil, nil, time.Now())
	}
	live, rows, unread := liveRows(inv, client, c.Sale)
	now := time.Now()
	if live != nil {
		now = live.At.Time
	}
	return errors.Join(terminal.WriteSale(inv.stdout, &s, live, rows, now), unread)
}

// rowsPerPage is the most rows that the API answers at once.
const rowsPerPage = 200

// liveRows reads the numbers of a sale with the rows of all its SKUs, nil with an error where they cannot be read.
func liveRows(inv *invocation, client *adminclient.Client, id string) (*terminal.Live, []terminal.Row, error) {
	var rows []terminal.Row
	for {
		answer, err := client.Live(inv.ctx, id, adminclient.LiveQuery{From: len(rows), Limit: rowsPerPage})
		if err != nil {
			return nil, nil, exitOf(fmt.Errorf("read the numbers of sale %s: %w", id, err))
		}
		live, err := terminal.ReadLive(answer)
		if err != nil {
			return nil, nil, exitOf(err)
		}
		rows = append(rows, live.Items.Rows...)
		if len(live.Items.Rows) < rowsPerPage {
			return &live, rows, nil
		}
	}
}
