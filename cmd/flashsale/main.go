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

	Dev        cli.Dev        `cmd:"" help:"Everything in one process on embedded engines, with a demo sale. For trying and developing."`
	Gateway    cli.Gateway    `cmd:"" help:"Buyers' listener and operators' listener."`
	Settle     cli.Settle     `cmd:"" help:"Consumer, relay, dead letters and rebuild."`
	Migrate    cli.Migrate    `cmd:"" help:"Bring the database schema up and create the topics. May be repeated."`
	Sale       cli.Sale       `cmd:"" help:"The life cycle of a sale, through the operators' API."`
	Rules      cli.Rules      `cmd:"" help:"The limits of every gateway, through the operators' API."`
	Audit      cli.Audit      `cmd:"" help:"Print the stock equation per SKU. Exit 0: holds, 1: does not, 2: could not be read."`
	Token      cli.Token      `cmd:"" help:"Sign test tokens with the HS256 secret, one a line."`
	Load       cli.Load       `cmd:"" help:"Open-loop load generator, vegeta targets, and the verdict from the books."`
	Deadletter cli.Deadletter `cmd:"" help:"Records that could not settle: list, replay, refuse."`
	Config     cli.Config     `cmd:"" help:"Every setting with its value and where it came from. Secrets are not printed."`
	Version    cli.Version    `cmd:"" help:"Version, commit and Go."`
}

func main() {
	// The first signal asks for a graceful end, a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, &commands{}, os.Args[1:], os.Environ(), cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
