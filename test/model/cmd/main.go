// Command cmd explores the protocol; package protocol says what and how.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	protocol "flashsale/test/model"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	seconds := flag.Int("seconds", 60, "time for all setups together")
	states := flag.Int("states", 20_000_000, "states of one setup at most; a state takes about a kilobyte")
	shape := flag.String("shape", "", "explore these shapes of a sale, with commas between")
	faults := flag.String("faults", "", "with the shapes: faults joined by +, sets of them with commas between")
	hidden := flag.Bool("hidden", false, "with the shapes: Redis hides its replication id")
	off := flag.String("off", "", "rules to switch off, with commas between")
	flag.Parse()
	setups, err := chosen(*shape, *faults, *hidden)
	if err != nil {
		return err
	}
	var without []protocol.Rule
	for _, name := range strings.FieldsFunc(*off, func(r rune) bool { return r == ',' }) {
		rule, err := protocol.ParseRule(name)
		if err != nil {
			return err
		}
		without = append(without, rule)
	}
	return explore(setups, protocol.Without(without...), *states, time.Duration(*seconds)*time.Second)
}

// chosen returns the setups of the command line, or all.
func chosen(shapes, faults string, hidden bool) ([]protocol.Named, error) {
	if shapes == "" {
		return append(protocol.Small(), protocol.Large()...), nil
	}
	var setups []protocol.Named
	for _, shape := range strings.Split(shapes, ",") {
		setup, known := protocol.Shapes()[shape]
		if !known {
			return nil, fmt.Errorf("no shape is named %q", shape)
		}
		for _, set := range strings.Split(faults, ",") {
			parsed, err := protocol.ParseFaults(set)
			if err != nil {
				return nil, err
			}
			setup := setup.With(parsed...)
			setup.Hidden = hidden
			setups = append(setups, protocol.Named{Name: shape + " " + set, Setup: setup})
		}
	}
	return setups, nil
}

// explore gives every setup an equal share of the time that is left.
func explore(setups []protocol.Named, off protocol.Off, states int, all time.Duration) error {
	began := time.Now()
	var total int64
	broken := 0
	for i, named := range setups {
		named.Off |= off
		share := max((all-time.Since(began))/time.Duration(len(setups)-i), time.Second)
		result := protocol.Search(named.Setup, protocol.Bounds{States: states, Until: share})
		fmt.Printf("%-24s %s\n%24s %s\n", named.Name, named.Setup.String(), "", result.String())
		for n, step := range result.Trace {
			fmt.Printf("%28d %s\n", n+1, step)
		}
		total += result.States
		if result.Broken != "" {
			broken++
		}
	}
	fmt.Printf("%d setups, %d states, %d broken, %s\n", len(setups), total, broken, time.Since(began).Round(time.Second))
	if broken > 0 {
		return fmt.Errorf("%d setups break the promise", broken)
	}
	return nil
}
