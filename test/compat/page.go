package compat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"flashsale/test/harness"
)

// The block of docs/compatibility.md that -write renews is between these lines.
const (
	blockBegins = "<!-- the rows below are written by make compat ARGS=-write -->"
	blockEnds   = "<!-- the rows above are written by make compat ARGS=-write -->"
)

// TableHead begins the table of rows.
const TableHead = `| row | servers | tests passed | failed | excused, see below | took | run |
| --- | --- | --- | --- | --- | --- | --- |
`

// kindsHead begins the table of kinds.
const kindsHead = `| kind | server | from | figures |
| --- | --- | --- | --- |
`

// Line is the row of the table that a result becomes. run says when and on which commit.
func (r *Result) Line(run string) string {
	failed := strings.Join(r.Tally.Failed, ", ")
	switch {
	case r.Broken != nil:
		failed = "did not end: " + strings.Split(r.Broken.Error(), "\n")[0]
	case len(r.Mistaken) > 0:
		failed = strings.TrimPrefix(failed+", ", ", ") + "passed, but are excused: " + strings.Join(r.Mistaken, ", ")
	case failed == "":
		failed = "0"
	}
	return fmt.Sprintf("| %s | %s | %d | %s | %d | %s | %s |\n", r.Name, r.servers(), r.Passed, failed, len(r.Excused),
		r.Took.Round(time.Second), run)
}

// servers names the row's own servers with the versions that ran; those that it does not name are the defaults.
func (r *Result) servers() string {
	kinds, err := r.kinds()
	if err != nil {
		return strings.Join(r.Kinds, ", ")
	}
	var names []string
	for _, k := range kinds {
		name := k.Product + " " + r.Versions[k.Role]
		if k.About != "" {
			name += " (" + k.About + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, "; ")
}

// Rewrite returns the page with the lines of the rows that ran, in the order of the matrix, and the figures of the kinds that
// were measured; it keeps those of others.
func Rewrite(page string, matrix []Row, lines, figures map[string]string) (string, error) {
	before, rest, found := strings.Cut(page, blockBegins+"\n")
	block, after, ended := strings.Cut(rest, blockEnds)
	if !found || !ended {
		return "", fmt.Errorf("the page has no lines %q and %q", blockBegins, blockEnds)
	}
	kept := linesOf(block, TableHead)
	var text strings.Builder
	text.WriteString(before + blockBegins + "\n\n" + TableHead)
	for _, row := range matrix {
		line := cmp.Or(lines[row.Name], kept[row.Name], fmt.Sprintf("| %s | `%s` | | not run yet | | | |\n", row.Name,
			strings.Join(row.Kinds, "`, `")))
		text.WriteString(line)
	}
	text.WriteString("\n" + kindsTable(linesOf(block, kindsHead), figures) + "\n" + excuses(matrix) + blockEnds + after)
	return text.String(), nil
}

// linesOf returns the lines of the table with that head in a block by their first cells.
func linesOf(block, head string) map[string]string {
	lines := map[string]string{}
	_, rows, _ := strings.Cut(block, head)
	for line := range strings.Lines(rows) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") {
			break
		}
		lines[strings.TrimPrefix(cells[0], "| ")] = line
	}
	return lines
}

// kindsTable lists where the servers come from and what was measured on them; kept are the lines of the page.
func kindsTable(kept, figures map[string]string) string {
	var text strings.Builder
	text.WriteString(kindsHead)
	for _, k := range harness.Kinds() {
		server, name := k.Product, "`"+k.Name+"`"
		if k.About != "" {
			server += ": " + k.About
		}
		measured := figures[k.Name]
		if cells := strings.Split(kept[name], " | "); measured == "" && len(cells) == 4 {
			measured = strings.TrimSuffix(cells[3], " |\n")
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", name, server, k.Source, measured)
	}
	return text.String()
}

// excusesHead begins the table of excuses.
const excusesHead = `| row | excused | because |
| --- | --- | --- |
`

// excuses lists the tests that fail by a server's fault.
func excuses(matrix []Row) string {
	var text strings.Builder
	for _, row := range matrix {
		for _, known := range row.Known {
			room, test, _ := strings.Cut(known.Test, ".")
			often := ""
			if known.Sometimes {
				often = ", sometimes"
			}
			fmt.Fprintf(&text, "| %s | `%s` in `%s`%s | %s |\n", row.Name, test, room, often, known.Reason)
		}
	}
	if text.Len() > 0 {
		return excusesHead + text.String() + "\n"
	}
	return ""
}

// Failures returns the last lines of every failed test, for the end of a run.
func (r *Result) Failures() string {
	var text strings.Builder
	if r.Broken != nil {
		fmt.Fprintf(&text, "%s: %v\n", r.Name, r.Broken)
	}
	for _, name := range slices.Concat(r.Tally.Failed, r.Excused) {
		fmt.Fprintf(&text, "--- %s: %s\n%s\n", r.Name, name, harness.Tail(r.Output[name]))
	}
	return text.String()
}
