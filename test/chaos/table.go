package chaos

import (
	"fmt"
	"strings"
)

// table prints what was done and what came of it, in the form of the table in docs/reliability.md. A violation counts
// for every kind of its round, because it cannot be known which of them it came from.
func table(log []struck, rounds []*outcome, seed uint64, commit string) string {
	violations := map[int]int{}
	for _, o := range rounds {
		violations[o.number] = len(o.faults())
	}
	var text strings.Builder
	fmt.Fprintf(&text, "| fault | times | violations | seed |\n| --- | --- | --- | --- |\n")
	kills, pairs, blamed := 0, 0, 0
	for _, f := range faults {
		times, bad := 0, map[int]bool{}
		for _, s := range log {
			if s.kind != f.kind {
				continue
			}
			times++
			kills += f.kills
			if violations[s.round] > 0 {
				bad[s.round] = true
			}
		}
		if times > 0 {
			fmt.Fprintf(&text, "| %s | %d | %d | %d |\n", f.kind, times, sum(bad, violations), seed)
		}
	}
	inPair := map[int]bool{}
	for _, s := range log {
		if s.with != "" {
			pairs++
			inPair[s.round] = true
		}
	}
	for _, n := range violations {
		blamed += n
	}
	fmt.Fprintf(&text, "| of these, in pairs | %d | %d | %d |\n", pairs/2, sum(inPair, violations), seed)
	fmt.Fprintf(&text, "\n%d faults (%d processes killed) in %d rounds at commit %s, %d violations.\n", len(log), kills, len(rounds), commit, blamed)
	return text.String() + totals(rounds)
}

func sum(rounds map[int]bool, violations map[int]int) (n int) {
	for round := range rounds {
		n += violations[round]
	}
	return n
}

// totals says how much was looked at.
func totals(rounds []*outcome) string {
	var ops, passed, undecided, linear int
	counts := map[string]int{}
	for _, o := range rounds {
		ops += o.ops
		passed += o.linear.Passed
		undecided += o.linear.Undecided
		linear += o.linear.Operations
		for what, n := range o.result.Counts {
			counts[what] += n
		}
	}
	return fmt.Sprintf("%d operations, %d order rows, %d promises, %d sightings of a status, %d events, %d batches, %d epochs; "+
		"%d promised orders refused and %d held ones lost with Redis's writes; %d times an order that was queued was held "+
		"for another gateway.\nLinearizability: %d windows hold, %d undecided, "+
		"%d operations in them.\n", ops, counts["rows"], counts["promises"], counts["sightings"], counts["events"],
		counts["batches"], counts["epochs"], counts["promised orders refused after a loss"],
		counts["held orders lost with Redis"], counts["heard held after queued"], passed, undecided, linear)
}
