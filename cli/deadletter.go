package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"flashsale/sale"
	"flashsale/settle"
	"flashsale/store"
)

// Deadletter lists and decides the records that could not settle.
type Deadletter struct {
	List   deadletterList   `cmd:"" help:"Print the dead letters."`
	Replay deadletterReplay `cmd:"" help:"Settle records again. A settled record stays as it is."`
	Refuse deadletterRefuse `cmd:"" help:"Refuse the orders of records and return their units."`
}

type deadletterList struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"Output format: text or json."`
}

// listedLetter is a dead letter in the list.
type listedLetter struct {
	ID        string               `json:"id"`
	Reason    string               `json:"reason"`
	Detail    string               `json:"detail"`
	State     sale.DeadLetterState `json:"state"`
	Partition int32                `json:"partition"`
	Offset    int64                `json:"offset"`
	Orders    []sale.OrderID       `json:"orders"`
}

// Run prints the dead letters.
func (c deadletterList) Run(inv *invocation) error {
	db, err := inv.store("deadletter")
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := within(inv.ctx)
	defer cancel()
	letters, err := db.DeadLetters(ctx)
	if err != nil {
		return &exitError{ExitUnreadable, inv.explain(db, err)}
	}
	rows := make([]listedLetter, len(letters))
	for i, letter := range letters {
		rows[i] = listedLetter{letter.ID, letter.Reason, letter.Detail, letter.State, letter.Partition, letter.Offset,
			make([]sale.OrderID, len(letter.Orders))}
		for k, order := range letter.Orders {
			rows[i].Orders[k] = order.OrderID
		}
	}
	if c.Output == "json" {
		return json.NewEncoder(inv.stdout).Encode(rows)
	}
	return printLetters(inv.stdout, rows)
}

func printLetters(w io.Writer, rows []listedLetter) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSTATE\tREASON\tORDERS\tDETAIL")
	for _, row := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", row.ID, row.State, row.Reason, len(row.Orders), row.Detail)
	}
	return table.Flush()
}

type deadletterReplay struct {
	ID []string `arg:"" help:"Dead letter ids, as the list shows them."`
}

// Run settles the letters again, one at a time.
func (c deadletterReplay) Run(inv *invocation) error {
	return inv.decide(c.ID, func(db *store.Store, id string) (string, error) {
		ctx, cancel := within(inv.ctx)
		defer cancel()
		changed, err := settle.Replay(ctx, db, id)
		return word(changed, "replayed"), err
	})
}

type deadletterRefuse struct {
	ID []string `arg:"" help:"Dead letter ids, as the list shows them."`
}

// Run refuses the letters, one at a time.
func (c deadletterRefuse) Run(inv *invocation) error {
	return inv.decide(c.ID, func(db *store.Store, id string) (string, error) {
		ctx, cancel := within(inv.ctx)
		defer cancel()
		changed, err := settle.Refuse(ctx, db, id)
		return word(changed, "refused"), err
	})
}

func word(changed bool, done string) string {
	if changed {
		return done
	}
	return "unchanged"
}

// decide runs one decision per letter and continues after a failure. It returns all errors together.
func (inv *invocation) decide(ids []string, decide func(*store.Store, string) (string, error)) error {
	db, err := inv.store("deadletter")
	if err != nil {
		return err
	}
	defer db.Close()
	var failed []error
	for _, id := range ids {
		done, err := decide(db, id)
		if err != nil {
			failed = append(failed, inv.explain(db, err)) // the error names the letter
			continue
		}
		if _, err := fmt.Fprintf(inv.stdout, "%s %s\n", id, done); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}
