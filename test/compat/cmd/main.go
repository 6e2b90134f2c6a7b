// Command cmd runs the matrix of package compat and prints its table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"flashsale/loadtest/bench"
	"flashsale/test/compat"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct {
	only, logs     string
	write, figures bool
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("compat", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.only, "only", "", "rows to run, by commas; empty: the figures, and then all")
	flags.BoolVar(&o.figures, "figures", false,
		"measure the kinds of servers also when -only names rows; with -only none, nothing else")
	flags.BoolVar(&o.write, "write", false, "write the rows that ran into docs/compatibility.md")
	flags.StringVar(&o.logs, "logs", "bin/compat", "folder for the output of go test")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q belongs to no flag: rows are named by -only", flags.Args())
	}
	var rows []compat.Row
	if o.only != "none" {
		chosen, err := compat.Chosen(compat.Matrix, o.only)
		if err != nil {
			return err
		}
		rows = chosen
	}
	if err := os.MkdirAll(o.logs, 0o755); err != nil {
		return fmt.Errorf("make the folder of the logs: %w", err)
	}
	return o.rows(ctx, rows, out)
}

// rows measures the kinds where that was asked for, runs the rows, and prints the table. It writes the page after each of them.
func (o options) rows(ctx context.Context, rows []compat.Row, out io.Writer) error {
	machine, err := bench.ThisMachine(".")
	if err != nil {
		return err
	}
	if err := o.page(nil, nil); err != nil {
		return err
	}
	runner := compat.NewRunner(".", o.logs, out)
	if o.figures || o.only == "" {
		fmt.Fprintln(out, "measuring each kind of servers, about ten minutes")
		figures, err := runner.Figures(ctx)
		for kind := range figures {
			figures[kind] += "; " + today(machine)
		}
		if err == nil {
			err = o.page(nil, figures)
		}
		if err != nil {
			return err
		}
		for _, kind := range slices.Sorted(maps.Keys(figures)) {
			fmt.Fprintf(out, "%s: %s\n", kind, figures[kind])
		}
	}
	var table strings.Builder
	var bad []string
	for n, row := range rows {
		fmt.Fprintf(out, "row %s, %d of %d\n", row.Name, n+1, len(rows))
		result := runner.Run(ctx, row)
		line := result.Line(today(machine))
		table.WriteString(line)
		fmt.Fprint(out, result.Failures())
		if result.Bad() {
			bad = append(bad, row.Name)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := o.page(map[string]string{row.Name: line}, nil); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n%s\n%s%s", machine, compat.TableHead, table.String())
	if len(bad) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(bad, ", "))
	}
	return nil
}

// today says when something ran, and on which commit.
func today(machine bench.Machine) string {
	return time.Now().Format(time.DateOnly) + " at " + machine.Commit
}

// page writes lines of rows and figures of kinds into the page, where that was asked for.
func (o options) page(lines, figures map[string]string) error {
	if !o.write {
		return nil
	}
	name := filepath.Join("docs", "compatibility.md")
	page, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text, err := compat.Rewrite(string(page), compat.Matrix, lines, figures)
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}
