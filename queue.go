package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"flashsale/kafka"
	"flashsale/sale"
	"flashsale/settings"
	"flashsale/settle"
	"flashsale/store"
)

type migrateCommand struct{}

// Run brings the schema and the topics up.
func (migrateCommand) Run(inv *invocation) error {
	s, err := inv.settings("migrate")
	if err != nil {
		return err
	}
	books, err := openStore(s)
	if err != nil {
		return err
	}
	defer books.Close()
	if err := books.Migrate(inv.ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	err = kafka.CreateTopics(inv.ctx, kafkaOptions(s), s.Namespace, int32(s.Kafka.Partitions), int16(s.Kafka.Replication))
	if err != nil {
		return fmt.Errorf("create the topics: %w", err)
	}
	_, err = fmt.Fprintln(inv.stdout, "schema and topics are up to date")
	return err
}

// deadletterCommand shows and decides the records that could not settle.
type deadletterCommand struct {
	List   deadletterListCommand   `cmd:"" help:"Print the dead letters."`
	Replay deadletterReplayCommand `cmd:"" help:"Settle them again. One that is settled stays as it is."`
	Refuse deadletterRefuseCommand `cmd:"" help:"End their orders as refused and give the units back."`
}

type deadletterListCommand struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"text or json."`
}

// listedLetter is what the list shows of a dead letter.
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
func (c deadletterListCommand) Run(inv *invocation) error {
	books, err := inv.books("deadletter")
	if err != nil {
		return err
	}
	defer books.Close()
	ctx, cancel := within(inv.ctx)
	defer cancel()
	letters, err := books.DeadLetters(ctx)
	if err != nil {
		return &exitError{exitUnreadable, inv.explain(books, err)}
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

type deadletterReplayCommand struct {
	ID []string `arg:"" help:"Ids from the list."`
}

// Run settles the letters again, each on its own.
func (c deadletterReplayCommand) Run(inv *invocation) error {
	return inv.decide(c.ID, func(books *store.Store, id string) (string, error) {
		ctx, cancel := within(inv.ctx)
		defer cancel()
		changed, err := settle.Replay(ctx, books, id)
		return word(changed, "replayed"), err
	})
}

type deadletterRefuseCommand struct {
	ID []string `arg:"" help:"Ids from the list."`
}

// Run refuses the letters, each on its own.
func (c deadletterRefuseCommand) Run(inv *invocation) error {
	return inv.decide(c.ID, func(books *store.Store, id string) (string, error) {
		ctx, cancel := within(inv.ctx)
		defer cancel()
		changed, err := settle.Refuse(ctx, books, id)
		return word(changed, "refused"), err
	})
}

func word(changed bool, done string) string {
	if changed {
		return done
	}
	return "unchanged"
}

// decide runs one decision per letter and goes on after a failure; the errors come together at the end.
func (inv *invocation) decide(ids []string, decide func(*store.Store, string) (string, error)) error {
	books, err := inv.books("deadletter")
	if err != nil {
		return err
	}
	defer books.Close()
	var failed []error
	for _, id := range ids {
		done, err := decide(books, id)
		if err != nil {
			failed = append(failed, inv.explain(books, err)) // it names the letter
			continue
		}
		if _, err := fmt.Fprintf(inv.stdout, "%s %s\n", id, done); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}

func (inv *invocation) books(command string) (*store.Store, error) {
	s, err := inv.settings(command)
	if err != nil {
		return nil, err
	}
	return openStore(s)
}

// explain returns why a statement failed where the schema is the reason: the table that is not there, or the column, is
// only how it shows.
func (inv *invocation) explain(books *store.Store, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return err // who did not answer one question will not answer another
	}
	ctx, cancel := within(inv.ctx)
	defer cancel()
	if schema := books.CheckSchema(ctx); errors.Is(schema, sale.ErrSchema) {
		return schema
	}
	return err
}

// kafkaOptions is the only place that reads Kafka's options from the settings.
func kafkaOptions(s *settings.Settings) kafka.Options {
	return kafka.Options{
		Brokers: s.Kafka.Brokers, TLS: s.Kafka.TLS, SASLMechanism: s.Kafka.SASLMechanism,
		Username: s.Kafka.SASLUsername, Password: s.Kafka.SASLPassword.Reveal(),
	}
}

// openStore opens the database that the settings name. It need not be up yet.
func openStore(s *settings.Settings) (*store.Store, error) {
	return store.Open(store.Options{Driver: store.DriverMySQL, DSN: s.MySQL.DSN.Reveal()})
}

// within bounds a command that talks to a store.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, commandTimeout)
}

const commandTimeout = 30 * time.Second
