package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"flashsale/adminclient"
	"flashsale/terminal"
)

// Deadletter lists and decides the records that could not settle, through the operators' API.
type Deadletter struct {
	List   deadletterList   `cmd:"" help:"Print the dead letters."`
	Replay deadletterReplay `cmd:"" help:"Settle records again. A settled record stays as it is."`
	Refuse deadletterRefuse `cmd:"" help:"Refuse the orders of records and return their units."`
}

type deadletterList struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"Output format: text or json."`
}

// Run prints the dead letters.
func (c deadletterList) Run(inv *invocation) error {
	client, err := inv.client("deadletter")
	if err != nil {
		return err
	}
	letters, err := client.DeadLetters(inv.ctx)
	if err != nil {
		return exitOf(err)
	}
	if c.Output == "json" {
		return json.NewEncoder(inv.stdout).Encode(letters)
	}
	return printLetters(inv.stdout, letters)
}

func printLetters(w io.Writer, rows []adminclient.DeadLetter) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSTATE\tREASON\tORDERS\tDETAIL")
	for i := range rows {
		row := &rows[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", row.ID, row.State, row.Reason, len(row.Orders),
			terminal.Plain(row.Detail))
	}
	return table.Flush()
}

type deadletterReplay struct {
	ID []string `arg:"" help:"Dead letter ids, as the list shows them."`
}

// Run settles the letters again, one at a time.
func (c deadletterReplay) Run(inv *invocation) error { return inv.decide(c.ID, "replay", "replayed") }

type deadletterRefuse struct {
	ID []string `arg:"" help:"Dead letter ids, as the list shows them."`
}

// Run refuses the letters, one at a time.
func (c deadletterRefuse) Run(inv *invocation) error { return inv.decide(c.ID, "refuse", "refused") }

// decide makes one decision per letter, prints what it did, and continues after a failure. It returns all errors together.
func (inv *invocation) decide(ids []string, verb, done string) error {
	client, err := inv.client("deadletter")
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range ids {
		changed, err := client.DecideLetter(inv.ctx, id, verb)
		if err != nil {
			failed = append(failed, err) // the error names the letter
			continue
		}
		said := done
		if !changed {
			said = "unchanged"
		}
		if _, err := fmt.Fprintf(inv.stdout, "%s %s\n", id, said); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}
