// Package cli runs the commands: each file holds one, named after it, and the rest is what they share. The table in
// cmd/flashsale says which there are. A command reads its settings, calls a room or the operators' API, and prints; package
// app assembles the processes.
package cli

import (
	"context"
	"errors"
	"io"

	"github.com/alecthomas/kong"

	"flashsale/app"
	"flashsale/settings"
)

// Globals are the flags that every command line takes. The settings read --config before the table does.
type Globals struct {
	ConfigFile  string           `name:"config" placeholder:"FILE" help:"YAML file of settings."`
	ShowVersion kong.VersionFlag `name:"version" help:"Print version, commit and Go."`
}

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run executes one command line by a table, which is a pointer to a struct of Globals and commands, and returns the exit
// code. A process among the commands drains when ctx ends. Run panics when the table itself is wrong.
func Run(ctx context.Context, table any, args, environ []string, streams Streams) int {
	source, rest, err := settings.FromCommandLine(args, environ)
	if err != nil {
		return report(streams.Err, &exitError{ExitUsage, err})
	}
	ended := -1
	parser, err := kong.New(table, kong.Name("flashsale"),
		kong.Description("Flash-sale engine. Every setting is a flag, an environment variable and a member of the YAML file: "+
			"see 'flashsale config'."),
		kong.Writers(streams.Out, streams.Err), kong.Exit(func(code int) { ended = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Help(printHelp), kong.Vars{"version": app.ThisBuild().String()})
	if err != nil {
		panic(err) // a programming error that the first test finds
	}
	if len(rest) == 0 {
		rest = []string{"--help"} // the bare name asks what there is
	}
	parsed, err := parser.Parse(rest)
	if ended >= 0 { // --help has printed
		return ended
	}
	inv := &invocation{ctx, streams.In, streams.Out, streams.Err, source}
	if err != nil {
		return report(streams.Err, &exitError{ExitUsage, errors.Join(err, inv.alsoWrong(rest))})
	}
	return report(streams.Err, parsed.Run(inv))
}
