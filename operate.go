package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"flashsale/adminclient"
	"flashsale/sale"
)

// saleCommand is the life cycle of a sale through the operators' API. What it prints is the API's own JSON.
type saleCommand struct {
	Create  saleCreateCommand  `cmd:"" help:"Create or change a sale from a YAML or JSON file."`
	Buyers  saleBuyersCommand  `cmd:"" help:"Replace the list of a listed sale: one buyer id a line."`
	Preload salePreloadCommand `cmd:"" help:"Load the stock into Redis. Repeated, it loads what was raised."`
	Open    saleMoveCommand    `cmd:"" help:"Sell from starts_at on."`
	Pause   saleMoveCommand    `cmd:"" help:"Stop selling for now. Nothing is taken once this has answered."`
	Resume  saleMoveCommand    `cmd:"" help:"Go on after a pause."`
	Close   saleMoveCommand    `cmd:"" help:"End the sale for good."`
	Show    saleShowCommand    `cmd:"" help:"Print a sale."`
	List    saleListCommand    `cmd:"" help:"Print all sales."`
}

type saleCreateCommand struct {
	Sale string `arg:"" help:"Sale id."`
	File string `short:"f" required:"" help:"The sale as YAML or JSON, - for stdin."`
}

// Run puts the sale.
func (c saleCreateCommand) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		document, err := inv.document(c.File)
		if err != nil {
			return nil, err
		}
		return client.PutSale(inv.ctx, c.Sale, document)
	})
}

type saleBuyersCommand struct {
	Sale string `arg:"" help:"Sale id."`
	File string `short:"f" required:"" help:"One buyer id a line, - for stdin."`
}

// Run streams the list.
func (c saleBuyersCommand) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		lines, err := adminclient.OpenInput(c.File, inv.stdin)
		if err != nil {
			return nil, err
		}
		defer lines.Close()
		return client.PutBuyers(inv.ctx, c.Sale, lines)
	})
}

type salePreloadCommand struct {
	Sale string `arg:"" help:"Sale id."`
}

// Run loads the sale, with its progress on stderr.
func (c salePreloadCommand) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		answer, err := client.Preload(inv.ctx, c.Sale, func(done, total int) {
			fmt.Fprintf(inv.stderr, "loaded %d of %d buckets\n", done, total)
		})
		if err == nil {
			inv.warnOfEnded(answer)
		}
		return answer, err
	})
}

// saleMoveCommand is open, pause, resume and close: the name of the command is the move.
type saleMoveCommand struct {
	Sale string `arg:"" help:"Sale id."`
}

// Run makes the move.
func (c saleMoveCommand) Run(inv *invocation, parsed *kong.Context) error {
	verb := parsed.Selected().Name
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		answer, err := client.Move(inv.ctx, c.Sale, verb)
		if err == nil {
			inv.warnOfEnded(answer)
		}
		return answer, err
	})
}

// warnOfEnded says on stderr that a sale which was moved on sells nothing any more. It is no fault: its end may be moved.
func (inv *invocation) warnOfEnded(answer []byte) {
	var moved sale.Sale
	if json.Unmarshal(answer, &moved) != nil || moved.State == sale.StateClosed || !moved.EndsAt.Before(time.Now()) {
		return
	}
	fmt.Fprintf(inv.stderr, "flashsale: sale %s ended at %s, so it sells nothing: sale create with a later ends_at goes on with it\n",
		moved.ID, moved.EndsAt)
}

type saleShowCommand struct {
	Sale   string `arg:"" help:"Sale id."`
	Output string `short:"o" enum:"json,yaml" default:"json" help:"json: the sale with its state. yaml: its definition, as create -f takes it."`
}

// Run prints the sale.
func (c saleShowCommand) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) {
		answer, err := client.Sale(inv.ctx, c.Sale)
		if err != nil || c.Output == "json" {
			return answer, err
		}
		return adminclient.DefinitionYAML(answer)
	})
}

type saleListCommand struct{}

// Run prints all sales.
func (saleListCommand) Run(inv *invocation) error {
	return inv.operate("sale", func(client *adminclient.Client) ([]byte, error) { return client.Sales(inv.ctx) })
}

// rulesCommand reads and replaces the limits of every gateway.
type rulesCommand struct {
	Get rulesGetCommand `cmd:"" help:"Print the present rules."`
	Put rulesPutCommand `cmd:"" help:"Replace the whole set from a YAML or JSON file."`
}

type rulesGetCommand struct{}

// Run prints the rules.
func (rulesGetCommand) Run(inv *invocation) error {
	return inv.operate("rules", func(client *adminclient.Client) ([]byte, error) { return client.Rules(inv.ctx) })
}

type rulesPutCommand struct {
	File string `short:"f" required:"" help:"The rules as YAML or JSON, - for stdin."`
	Yes  bool   `help:"Do it also where the set refuses a whole route or takes off every rule."`
}

// Run replaces the rules. What is a mistake more often than meant has to be confirmed.
func (c rulesPutCommand) Run(inv *invocation) error {
	return inv.operate("rules", func(client *adminclient.Client) ([]byte, error) {
		document, err := inv.document(c.File)
		if err != nil {
			return nil, err
		}
		if !c.Yes {
			if err := inv.confirmed(client, document); err != nil {
				return nil, err
			}
		}
		return client.PutRules(inv.ctx, document)
	})
}

// confirmed returns an error where a set of rules needs --yes. A set that is no good is the API's to refuse.
func (inv *invocation) confirmed(client *adminclient.Client, document []byte) error {
	next, present := sale.DefaultRules(), sale.Rules{}
	if json.Unmarshal(document, &next) != nil || next.Validate() != nil {
		return nil //nolint:nilerr // the API names the member at fault
	}
	answer, err := client.Rules(inv.ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, &present); err != nil {
		return fmt.Errorf("read the present rules: %w", err)
	}
	if what := next.Drastic(&present); what != "" {
		return &exitError{exitUsage, fmt.Errorf("this set %s: repeat with --yes if that is meant", what)}
	}
	return nil
}

// operate runs one call of the operators' API and prints its answer.
func (inv *invocation) operate(command string, call func(*adminclient.Client) ([]byte, error)) error {
	client, err := inv.client(command)
	if err != nil {
		return err
	}
	answer, err := call(client)
	if err != nil {
		return exitOf(err)
	}
	_, err = fmt.Fprintf(inv.stdout, "%s\n", bytes.TrimRight(answer, "\n"))
	return err
}

func (inv *invocation) client(command string) (*adminclient.Client, error) {
	s, err := inv.settings(command)
	if err != nil {
		return nil, err
	}
	return adminclient.NewClient(s.Admin.URL, s.Admin.Token.Reveal())
}

// document reads a YAML or JSON file as JSON.
func (inv *invocation) document(name string) ([]byte, error) {
	in, err := adminclient.OpenInput(name, inv.stdin)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return adminclient.ReadDocument(in)
}

// exitOf gives an error of the operators' API its exit code.
func exitOf(err error) error {
	if err == nil {
		return nil
	}
	var coded *exitError
	if errors.As(err, &coded) {
		return err
	}
	return &exitError{adminclient.ExitCode(err), err}
}
