package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// table prints what was done and what came of it, in the form of the table in docs/reliability.md. A violation counts
// for every kind of its round, because it cannot be known which of them it came from.
func table(rounds []*outcome, seed uint64, commit string, took time.Duration) string {
	var log []struck
	violations := map[int]int{}
	blamed := 0
	for _, o := range rounds {
		log = append(log, o.struck...)
		violations[o.number] = len(o.faults())
		blamed += len(o.faults())
	}
	var text strings.Builder
	text.WriteString("| fault | times | violations | sold again after (median) | (most) | seed |\n" +
		"| --- | --- | --- | --- | --- | --- |\n")
	for _, kind := range kinds(log) {
		row(&text, kind, ofKind(log, kind), violations, seed)
	}
	fmt.Fprintf(&text, "\n%d faults in %s (%.0f a minute), %d processes killed, %d faults while another was in force, "+
		"%d rounds, commit %s, %d violations.\n", len(log), took.Round(time.Second), float64(len(log))/took.Minutes(), kills(log),
		together(log), len(rounds), commit, blamed)
	return text.String() + totals(rounds)
}

// kinds returns the kinds of faults in the order of the table: by lane, standstills, then crash points by name.
func kinds(log []struck) (all []string) {
	for _, l := range lanes {
		for _, f := range l.faults {
			all = append(all, f.kind)
		}
	}
	all = append(all, standing()...)
	var points []string
	for _, s := range log {
		if !slices.Contains(all, s.kind) {
			points = append(points, s.kind)
		}
	}
	slices.Sort(points)
	return append(all, slices.Compact(points)...)
}

func ofKind(log []struck, kind string) []struck {
	return slices.DeleteFunc(slices.Clone(log), func(s struck) bool { return s.kind != kind })
}

func row(text *strings.Builder, kind string, log []struck, violations map[int]int, seed uint64) {
	if len(log) == 0 {
		return
	}
	bad, blamed := map[int]bool{}, 0
	var again []time.Duration
	for _, s := range log {
		if !bad[s.round] {
			blamed += violations[s.round]
		}
		bad[s.round] = true
		if s.sold {
			again = append(again, s.again)
		}
	}
	middle, most := spread(again)
	fmt.Fprintf(text, "| %s | %d | %d | %s | %s | %d |\n", kind, len(log), blamed, middle, most, seed)
}

// spread returns the median and the greatest of some durations.
func spread(all []time.Duration) (middle, most time.Duration) {
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond)
}

// totals says how much was looked at.
func totals(rounds []*outcome) string {
	var ops, passed, undecided, linear int
	var closed []time.Duration
	counts := map[string]int{}
	for _, o := range rounds {
		ops += o.ops
		passed += o.linear.Passed
		undecided += o.linear.Undecided
		linear += o.linear.Operations
		closed = append(closed, o.closed...)
		for what, n := range o.result.Counts {
			counts[what] += n
		}
	}
	middle, most := spread(closed)
	return fmt.Sprintf("Buckets were closed and seen open again %d times, after %s (median), %s (most).\n"+
		"%d operations, %d order rows, %d promises, %d sightings of a status, %d events, %d batches, %d epochs; "+
		"%d promised orders refused and %d held ones lost with Redis's writes; %d times an order that was queued was held "+
		"for another gateway.\nLinearizability: %d windows hold, %d undecided, "+
		"%d operations in them.\n", len(closed), middle, most, ops, counts["rows"], counts["promises"], counts["sightings"],
		counts["events"], counts["batches"], counts["epochs"], counts["promised orders refused after a loss"],
		counts["held orders lost with Redis"], counts["heard held after queued"], passed, undecided, linear)
}
