package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"flashsale/adminclient"
	"flashsale/sale"
	"flashsale/terminal"
)

// Trail prints who changed what.
type Trail struct {
	Sale   string `help:"Entries of this sale only."`
	Since  string `help:"Entries at or after this time (RFC 3339), or within this duration, such as 2h."`
	Limit  int    `default:"100" help:"At most so many entries, 1 to 1000, newest first."`
	Verify bool   `help:"Verify the chain of all entries instead. Exit 1: it is broken."`
	Output string `short:"o" enum:"table,json" default:"table" help:"Output format: table or json."`
}

// Run prints the entries, or verifies the chain.
func (c Trail) Run(inv *invocation) error {
	client, err := inv.client("trail")
	if err != nil {
		return err
	}
	if c.Verify {
		return c.verify(inv, client)
	}
	since := timeOrAge(c.Since, time.Now())
	answer, err := client.Trail(inv.ctx, adminclient.TrailQuery{Sale: c.Sale, Since: since, Limit: c.Limit})
	if err != nil {
		return exitOf(err)
	}
	if c.Output == "json" {
		_, err = fmt.Fprintf(inv.stdout, "%s\n", answer)
		return err
	}
	page, err := adminclient.ReadTrail(answer)
	if err != nil {
		return exitOf(err)
	}
	return printTrail(inv.stdout, page.Entries)
}

// timeOrAge returns a flag that is a duration as the time so long before now, and any other text as it is: the API refuses what
// is no time.
func timeOrAge(text string, now time.Time) string {
	if age, err := time.ParseDuration(text); err == nil {
		return sale.Time{Time: now.Add(-age)}.String()
	}
	return text
}

func printTrail(out io.Writer, entries []sale.TrailEntry) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "AT\tWHO\tROLE\tVERB\tTARGET\tOUTCOME\tBEFORE\tAFTER")
	for i := range entries {
		e := &entries[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.At, e.Who, e.Role, e.Verb, terminal.Plain(e.Target),
			e.Outcome, cell(e.Before), cell(e.After))
	}
	return table.Flush()
}

// maxCell is how many characters of a value the table shows; -o json prints all.
const maxCell = 80

func cell(value json.RawMessage) string {
	text := []rune(terminal.Plain(string(value)))
	if len(text) > maxCell {
		return string(text[:maxCell-1]) + "…"
	}
	if string(text) == "null" {
		return ""
	}
	return string(text)
}

// verify recomputes every hash from what the API answers. It trusts only the entries, not the server's word.
func (c Trail) verify(inv *invocation, client *adminclient.Client) error {
	check, err := client.VerifyTrail(inv.ctx)
	switch {
	case errors.Is(err, sale.ErrTrailBroken):
		return &exitError{ExitFailed, err}
	case err != nil:
		return exitOf(err)
	}
	_, err = fmt.Fprintf(inv.stdout, "the chain is whole: %d entries, the last one is %.16s\n", check.Links, check.Head.Hash)
	return err
}
