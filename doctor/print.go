package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Print writes a report for people: for each store how many findings there are of each level, then all that are not ok, the
// worst first, each with the reason and the line to type, then the checks that are ok. Findings in a row that have the same
// reason or line share it.
func Print(out io.Writer, r Report) error {
	var text strings.Builder
	for _, store := range Stores() {
		printStore(&text, store, of(r.Findings, store))
	}
	if r.Dangerous() {
		text.WriteString("What CONFIG SET and SET GLOBAL change lasts until the server restarts: put it into its configuration " +
			"too.\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func of(all []Finding, store string) (found []Finding) {
	for _, f := range all {
		if f.Store == store {
			found = append(found, f)
		}
	}
	return found
}

func printStore(text *strings.Builder, store string, found []Finding) {
	counts := map[Level]int{}
	for _, f := range found {
		counts[f.Level]++
	}
	var parts []string
	for _, level := range Levels() {
		if counts[level] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[level], level))
		}
	}
	fmt.Fprintf(text, "%s: %s\n", strings.ToUpper(store), strings.Join(parts, ", "))
	var fine []string
	for i, f := range found {
		if f.Level == OK {
			fine = appendOnce(fine, f.Check)
			continue
		}
		fmt.Fprintf(text, "  %-7s  %s: %s\n", f.Level, f.Check, f.Found)
		next := Finding{}
		if i+1 < len(found) {
			next = found[i+1]
		}
		if f.Why != next.Why {
			fmt.Fprintf(text, "           %s\n", f.Why)
		}
		if f.Mend != "" && (f.Mend != next.Mend || f.Level != next.Level) {
			fmt.Fprintf(text, "           > %s\n", f.Mend)
		}
	}
	if len(fine) > 0 {
		fmt.Fprintf(text, "  ok       %s\n", strings.Join(fine, ", "))
	}
	text.WriteString("\n")
}

// appendOnce leaves out what is the last already: several servers have the same checks.
func appendOnce(names []string, name string) []string {
	for _, known := range names {
		if known == name {
			return names
		}
	}
	return append(names, name)
}
