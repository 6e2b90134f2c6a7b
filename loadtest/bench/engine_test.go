package bench

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// only lists the parts to run, separated by commas.
var only = flag.String("only", "", "parts to run, by commas; empty: all")

// repetitions of every figure; the spread between them is its noise.
const repetitions = 3

// part is one block of the table.
type part struct {
	name   string                       // value of -only
	shared func(s *stack) []*Figure     // measured on the one deployment that these parts share, in the table's order
	own    func(b *testing.B) []*Figure // or: starts its own deployment after the shared one has ended
	apart  bool                         // only when it is named: it fetches what the others do not need
}

// parts is the table from top to bottom: first those on the shared deployment, then the others.
var parts = []part{
	{name: "sold-out", shared: (*stack).soldOut},
	{name: "accept", shared: (*stack).accept},
	{name: "one-by-one", shared: (*stack).oneByOne},
	{name: "half", shared: (*stack).half},
	{name: "alone", shared: (*stack).alone},
	{name: "settle", shared: (*stack).settling},
	{name: "rush", shared: (*stack).rush},
	{name: "growth", shared: (*stack).growth},
	{name: "skus", shared: (*stack).breadth},
	{name: "settle-sqlite", own: settlingSQLite},
	{name: "script", own: floor},
	{name: "two-nodes", own: twoNodes},
	{name: "memory", own: memory},
	{name: "million", own: million},
	{name: "scale", own: scale},
	{name: "rebuild", own: rebuild},
	{name: "audit", own: audits},
	{name: "idle", own: idle},
	{name: "live", own: live},
	{name: "overload", own: overload},
	{name: "feed", own: feed},
	{name: "servers", own: servers, apart: true},
	{name: "databases", own: databases, apart: true},
}

// BenchmarkEngine takes every figure once, prints the table and the same as one line of JSON, and fails when a target
// is missed by more than its noise or a part could not be measured. It starts all servers itself; it counts presses and
// not b.N.
func BenchmarkEngine(b *testing.B) {
	machine, err := ThisMachine(harness.Root(b))
	require.NoError(b, err)
	results := &Results{Machine: machine}
	var failed []string
	for chosen := chosenParts(b, *only); len(chosen) > 0; {
		together := 1
		for chosen[0].shared != nil && together < len(chosen) && chosen[together].shared != nil {
			together++
		}
		figures, without := takeParts(b, chosen[:together])
		results.Figures, failed = append(results.Figures, figures...), append(failed, without...)
		chosen = chosen[together:]
	}
	fmt.Println()
	_, err = results.WriteTo(os.Stdout)
	require.NoError(b, err)
	require.NoError(b, results.WriteJSON(os.Stdout))
	if missed := results.Missed(); len(missed) > 0 {
		b.Errorf("missed by more than the noise: %s", strings.Join(missed, "; "))
	}
	if len(failed) > 0 {
		b.Errorf("could not be measured: %s", strings.Join(failed, ", "))
	}
}

// chosenParts returns the parts in names, in the order of the table.
func chosenParts(b *testing.B, names string) []part {
	if names == "" {
		return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.apart })
	}
	var chosen []part
	asked := strings.Split(names, ",")
	for _, p := range parts {
		if slices.Contains(asked, p.name) {
			chosen = append(chosen, p)
		}
	}
	require.Len(b, chosen, len(asked), "-only %s names a part that is not there", names)
	return chosen
}

// takeParts measures parts of the shared deployment, or one part with its own, and returns the names of the parts that
// failed. Servers that the parts started end with them.
func takeParts(b *testing.B, some []part) (figures []*Figure, failed []string) {
	ok := b.Run("servers", func(b *testing.B) {
		var s *stack
		if some[0].shared != nil {
			s = newStack(b, deployment{})
			s.openUsual()
		}
		for _, p := range some {
			began := time.Now()
			if !b.Run(p.name, func(b *testing.B) { figures = append(figures, p.figures(b, s)...) }) {
				failed = append(failed, p.name)
			}
			say("%s took %s", p.name, time.Since(began).Round(time.Second))
		}
	})
	if !ok && len(failed) == 0 { // the deployment itself failed
		for _, p := range some {
			failed = append(failed, p.name)
		}
	}
	return figures, failed
}

// figures measures the part, on the shared deployment while the part's own benchmark runs.
func (p part) figures(b *testing.B, s *stack) []*Figure {
	var figures []*Figure
	if p.shared != nil {
		s.b, s.T = b, b
		figures = p.shared(s)
	} else {
		figures = p.own(b)
	}
	for _, f := range figures {
		say("%s: %s ± %s", f.Name, Short(f.Median()), Short(f.Noise()))
	}
	return figures
}
