// Command flashsale is the flash-sale engine: a gateway that sells, a worker that settles, and the commands that
// operate, check and load-test them. This file is the table of commands; wire.go builds the parts of each.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"flashsale/settings"
)

// Exit codes of every command.
const (
	exitDone       = 0
	exitFailed     = 1 // failed, or the answer is no
	exitUnreadable = 2 // what was asked for could not be read
	exitUsage      = 80
)

// exitError ends the process with a code; a nil cause prints nothing, because the command has said it already.
type exitError struct {
	code  int
	cause error
}

// Error returns the cause's text.
func (e *exitError) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.cause.Error()
}

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.cause }

// commands is the table: one member per command of the contract, each with a Run method, and before them the flags
// that every command line takes. The settings read --config before the table sees it.
type commands struct {
	ConfigFile  string           `name:"config" placeholder:"FILE" help:"YAML file of settings."`
	ShowVersion kong.VersionFlag `name:"version" help:"Print version, commit and Go."`

	Dev        devCommand        `cmd:"" help:"Everything in one process on embedded engines, with a demo sale. For trying and developing."`
	Gateway    gatewayCommand    `cmd:"" help:"Buyers' listener and operators' listener."`
	Settle     settleCommand     `cmd:"" help:"Consumer, relay, dead letters and rebuild."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the database schema up and create the topics. May be repeated."`
	Sale       saleCommand       `cmd:"" help:"The life cycle of a sale, through the operators' API."`
	Rules      rulesCommand      `cmd:"" help:"The limits of every gateway, through the operators' API."`
	Audit      auditCommand      `cmd:"" help:"Print the stock equation per SKU. Exit 0: holds, 1: does not, 2: could not be read."`
	Token      tokenCommand      `cmd:"" help:"Sign test tokens with the HS256 secret, one a line."`
	Load       loadCommand       `cmd:"" help:"Open-loop load generator, vegeta targets, and the verdict from the books."`
	Deadletter deadletterCommand `cmd:"" help:"Records that could not settle: list, replay, refuse."`
	Config     configCommand     `cmd:"" help:"Every setting with its value and where it came from. Secrets are not printed."`
	Version    versionCommand    `cmd:"" help:"Version, commit and Go."`
}

// invocation is what every command gets: its surroundings, and the settings it loads for the role it plays.
type invocation struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	source settings.Source
}

func main() {
	// The first signal asks for a graceful end, a second one ends at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	source, rest, err := settings.FromCommandLine(args, environ)
	if err != nil {
		return report(stderr, &exitError{exitUsage, err})
	}
	var table commands
	ended := -1
	parser, err := kong.New(&table, kong.Name("flashsale"),
		kong.Description("Flash-sale engine. Every setting is a flag, an environment variable and a member of the YAML file: see 'flashsale config'."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { ended = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Help(printHelp), kong.Vars{"version": thisBuild().String()})
	if err != nil {
		panic(err) // the table itself is wrong: a programming error that the first test finds
	}
	if len(rest) == 0 {
		rest = []string{"--help"} // whoever types the bare name wants to know what there is
	}
	parsed, err := parser.Parse(rest)
	if ended >= 0 { // --help has printed
		return ended
	}
	inv := &invocation{ctx, stdin, stdout, stderr, source}
	if err != nil {
		return report(stderr, &exitError{exitUsage, errors.Join(err, inv.alsoWrong(rest))})
	}
	return report(stderr, parsed.Run(inv))
}

// alsoWrong returns what is wrong with the settings of a process whose command line cannot be read.
func (inv *invocation) alsoWrong(args []string) error {
	if len(args) == 0 || !slices.Contains([]string{"dev", "gateway", "settle"}, args[0]) {
		return nil
	}
	_, err := inv.processSettings(args[0])
	return err
}

// report prints an error as one line per fault and returns the exit code for it.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	code := exitFailed
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.cause == nil {
			return code
		}
	}
	var faults *settings.Faults
	if errors.As(err, &faults) {
		code = exitUsage
	}
	fmt.Fprintf(stderr, "flashsale: %v\n", err)
	return code
}
