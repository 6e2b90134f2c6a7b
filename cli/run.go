// Package cli runs the commands. Each file contains one command and is named after it; the others contain what commands
// share. The table of commands is in cmd/flashsale. A command reads its settings, calls a room or the operators' API,
// and prints; package app assembles the processes.
package cli

import (
	"context"
	"errors"
	"io"

	"github.com/alecthomas/kong"

	"flashsale/app"
	"flashsale/settings"
)

// Globals are the flags that every command line takes. The settings read --config before kong parses the command line.
type Globals struct {
	ConfigFile  string           `name:"config" placeholder:"FILE" help:"YAML file with settings."`
	ShowVersion kong.VersionFlag `name:"version" help:"Print version, commit and Go version."`
}

// Streams are the input and the outputs of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run executes one command line by a table, a pointer to a struct of Globals and commands, and returns the exit code. A
// process among the commands drains when ctx ends. Run panics when the table itself is invalid.
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
		rest = []string{"--help"} // a command line without a command prints the help
	}
	parsed, err := parser.Parse(rest)
	if ended >= 0 { // --help has printed
		return ended
	}
	inv := &invocation{ctx, streams.In, streams.Out, streams.Err, environ, source}
	if err != nil {
		return report(streams.Err, &exitError{ExitUsage, errors.Join(err, inv.alsoWrong(rest))})
	}
	return report(streams.Err, parsed.Run(inv))
}
