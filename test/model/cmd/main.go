// Command cmd explores the protocol by package model, whose comment describes the search.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	protocol "flashsale/test/model"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are the flags of the command line.
type options struct {
	seconds, states, walks    int
	only, shape, faults, off  string
	hidden, steady, one, list bool
	walk                      bool
	seed                      uint64
}

func run(args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("model", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&o.seconds, "seconds", 60, "time for all setups together")
	flags.IntVar(&o.states, "states", 20_000_000, "states of one setup at most; a state takes about a kilobyte")
	flags.StringVar(&o.only, "only", "", "explore only the setups whose names contain this")
	flags.StringVar(&o.shape, "shape", "", "explore these shapes of a sale, with commas between")
	flags.StringVar(&o.faults, "faults", "", "with the shapes: faults joined by +, sets of them with commas between")
	flags.BoolVar(&o.hidden, "hidden", false, "with the shapes: Redis hides its replication id")
	flags.BoolVar(&o.steady, "steady", false, "with the shapes: the second bucket gives nothing away and suffers nothing")
	flags.BoolVar(&o.one, "one-server", false, "with the shapes: both buckets are on one server")
	flags.StringVar(&o.off, "off", "", "rules to switch off, with commas between; without shapes, in the setup of each rule")
	flags.BoolVar(&o.list, "rules", false,
		"print what each rule is for: rule, setup, what breaks, after how many steps, states with the rule")
	flags.BoolVar(&o.walk, "walk", false, "walk at random through setups with everything at once")
	flags.IntVar(&o.walks, "walks", 0, "random walks of one setup at most, 0 for as many as there is time for")
	flags.Uint64Var(&o.seed, "seed", 1, "of the random walks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.list {
		return rules(out)
	}
	setups, err := o.chosen()
	if err != nil {
		return err
	}
	return o.explore(setups, out)
}

// chosen returns the setups of the command line, or all.
func (o *options) chosen() ([]protocol.Named, error) {
	without, err := o.without()
	switch {
	case err != nil:
		return nil, err
	case o.shape != "":
		return o.shaped(without)
	case o.walk:
		return rich(without), nil
	case len(without) > 0:
		return withoutRules(without), nil
	}
	var setups []protocol.Named
	for _, named := range append(protocol.Small(), protocol.Large()...) {
		if strings.Contains(named.Name, o.only) {
			setups = append(setups, named)
		}
	}
	if len(setups) == 0 {
		return nil, fmt.Errorf("no setup's name contains %q", o.only)
	}
	return setups, nil
}

func (o *options) without() (rules []protocol.Rule, err error) {
	for _, name := range strings.FieldsFunc(o.off, func(r rune) bool { return r == ',' }) {
		rule, err := protocol.ParseRule(name)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// withoutRules returns the setups that show what some rules are for, without them.
func withoutRules(rules []protocol.Rule) (setups []protocol.Named) {
	for _, b := range protocol.Breaches() {
		for _, rule := range rules {
			if b.Rule == rule {
				setups = append(setups, protocol.Named{Name: "without " + rule.String(), Setup: b.Without()})
			}
		}
	}
	return setups
}

// shaped returns the shapes of the command line, each with every set of faults.
func (o *options) shaped(without []protocol.Rule) ([]protocol.Named, error) {
	var setups []protocol.Named
	for _, shape := range strings.Split(o.shape, ",") {
		setup, known := protocol.Shapes()[shape]
		if !known {
			return nil, fmt.Errorf("no shape is named %q", shape)
		}
		for _, set := range strings.Split(o.faults, ",") {
			parsed, err := protocol.ParseFaults(set)
			if err != nil {
				return nil, err
			}
			setup := setup.With(parsed...)
			setup.Hidden, setup.Steady, setup.Shared, setup.Off = o.hidden, o.steady, o.one, protocol.Without(without...)
			setups = append(setups, protocol.Named{Name: shape + " " + set, Setup: setup})
		}
	}
	return setups, nil
}

// explore gives every setup an equal share of the time that is left.
func (o *options) explore(setups []protocol.Named, out io.Writer) error {
	began := time.Now()
	var total int64
	broken := 0
	for i, named := range setups {
		left := time.Duration(o.seconds)*time.Second - time.Since(began)
		share := max(left/time.Duration(len(setups)-i), time.Second/5)
		result := o.look(named.Setup, share)
		fmt.Fprintf(out, "%-24s %s\n%24s %s\n", named.Name, named.Setup.String(), "", result.String())
		for n, step := range result.Trace {
			fmt.Fprintf(out, "%28d %s\n", n+1, step)
		}
		total += result.States
		if result.Broken != "" {
			broken++
		}
	}
	fmt.Fprintf(out, "%d setups, %d states, %d broken, %s\n", len(setups), total, broken, time.Since(began).Round(time.Second))
	if broken > 0 {
		return fmt.Errorf("%d setups break the promise", broken)
	}
	return nil
}

// look searches a setup, or walks through it.
func (o *options) look(s protocol.Setup, share time.Duration) protocol.Result {
	if o.walk {
		return protocol.Walk(s, protocol.Walks{Seed: o.seed, Count: o.walks, Until: share})
	}
	return protocol.Search(s, protocol.Bounds{States: o.states, Until: share, Heals: true})
}

// rich returns the setups with everything at once, without some rules.
func rich(without []protocol.Rule) []protocol.Named {
	setups := protocol.Rich()
	for i := range setups {
		setups[i].Off = protocol.Without(without...)
	}
	return setups
}

var errNotShown = errors.New("some rules are not shown to be needed")

// rules prints the table of the rules.
func rules(out io.Writer) error {
	shown := true
	fmt.Fprintln(out, "| rule | setup | what breaks without it | steps | states with it |\n| --- | --- | --- | --- | --- |")
	for _, b := range protocol.Breaches() {
		with := protocol.Search(b.Setup, protocol.Bounds{Heals: true})
		without := protocol.Search(b.Without(), protocol.Bounds{})
		rule := b.Rule.String()
		for _, other := range b.BeltOf {
			rule += ", belt of " + other.String()
		}
		fmt.Fprintf(out, "| %s | %s | %s | %d | %d |\n", rule, b.Setup.String(), without.Broken, len(without.Trace), with.States)
		shown = shown && with.Whole && with.Broken == "" && without.Broken == b.Broken
	}
	fmt.Fprintf(out, "%d rules\n", len(protocol.Rules()))
	if !shown {
		return errNotShown
	}
	return nil
}
