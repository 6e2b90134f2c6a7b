// Command flashsale is the flash-sale engine: a gateway that sells, a worker that settles, and the commands that
// operate, check and load-test them. This file is the table of commands; package cli runs them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"flashsale/cli"
)

// commands is the table: first the flags that every command line takes, then one member per command.
type commands struct {
	cli.Globals

	Dev        cli.Dev        `cmd:"" help:"Run everything in one process with a demo sale, for trying and developing."`
	Gateway    cli.Gateway    `cmd:"" help:"Sell: the buyers' listener and the operators' listener."`
	Settle     cli.Settle     `cmd:"" help:"Settle: consumer, dead letters, relay, rebuild, outbox, events, expiry and gauges."`
	Migrate    cli.Migrate    `cmd:"" help:"Migrate the database schema and create the topics. Can be repeated."`
	Sale       cli.Sale       `cmd:"" help:"Create, load, open, pause and close sales through the operators' API."`
	Top        cli.Top        `cmd:"" help:"Show the live numbers of all sales or of one, on a screen with keys."`
	Rules      cli.Rules      `cmd:"" help:"Read and replace the limits of every gateway through the operators' API."`
	Trail      cli.Trail      `cmd:"" help:"Print who changed what, or verify the chain of the entries."`
	Audit      cli.Audit      `cmd:"" help:"Print the stock equation per SKU. Exit 0: holds, 1: does not hold, 2: unreadable."`
	Doctor     cli.Doctor     `cmd:"" help:"Name dangerous settings of the stores and what mends them. Exit 1: a danger."`
	Token      cli.Token      `cmd:"" help:"Sign test tokens with the HS256 secret, one per line."`
	Load       cli.Load       `cmd:"" help:"Generate open-loop load, print vegeta targets, judge a sale from the database."`
	Rehearse   cli.Rehearse   `cmd:"" help:"Try a sale before it begins, by a shadow of it on the same servers. Exit 1: no-go."`
	Orders     cli.Orders     `cmd:"" help:"List orders, show, cancel or extend one, through the operators' API."`
	Deadletter cli.Deadletter `cmd:"" help:"List, replay or refuse the records that could not settle."`
	Probe      cli.Probe      `cmd:"" help:"Ask a process whether it is ready, for an image without another program. Exit 1: no."`
	Config     cli.Config     `cmd:"" help:"Print every setting with its value and its source. Secrets are not printed."`
	Version    cli.Version    `cmd:"" help:"Print version, commit and Go version."`
}

func main() {
	// The first signal starts a graceful end, a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, &commands{}, os.Args[1:], os.Environ(), cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
