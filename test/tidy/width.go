package tidy

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Two files, or the two sides of a diff, fit side by side on a screen. A tab counts as four columns.
const (
	maxColumns = 130
	tabColumns = 4
)

var measured = []string{".go", ".lua", ".sql", ".md", ".yaml", ".yml", ".sh"}

// widthFindings names the lines that are too long.
func widthFindings(tree fs.FS) ([]finding, error) {
	names, err := files(tree)
	if err != nil {
		return nil, err
	}
	var found []finding
	for _, name := range names {
		if !slices.Contains(measured, path.Ext(name)) {
			continue
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		found = append(found, widthFaults(name, string(text))...)
	}
	return found, nil
}

func widthFaults(name, text string) []finding {
	var found []finding
	markdown, fenced, number := path.Ext(name) == ".md", false, 0
	for line := range strings.Lines(text) {
		number++
		if markdown && strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if markdown && (fenced || unbreakable(line)) {
			continue
		}
		if columns := columnsOf(line); columns > maxColumns {
			found = append(found, finding{place(name, number), fmt.Sprintf("%d columns, at most %d", columns, maxColumns)})
		}
	}
	return found
}

// unbreakable reports whether a line of Markdown cannot be broken: a row of a table, or one with a link.
func unbreakable(line string) bool {
	return strings.HasPrefix(line, "|") || strings.Contains(line, "](") || strings.Contains(line, "://")
}

func columnsOf(line string) int {
	line = strings.TrimRight(line, "\n")
	return utf8.RuneCountInString(line) + strings.Count(line, "\t")*(tabColumns-1)
}
