package tidy

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// roomOf returns the room of a file: the top-level folder, of the suites the folder below test/, "" for files in the root.
func roomOf(name string) string {
	folder, rest, below := strings.Cut(name, "/")
	if !below {
		return ""
	}
	if suite, _, deeper := strings.Cut(rest, "/"); folder == "test" && deeper {
		return folder + "/" + suite
	}
	return folder
}

// topFiles are the files that stand at the top level; *.test and *.prof are what go test leaves there, which is not committed.
var topFiles = []string{".git", ".gitignore", ".golangci.yml", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "go.mod",
	"go.sum", "*.test", "*.prof"}

// topFindings finds each file of the top level that belongs nowhere, such as the log of a server that a script started there.
func topFindings(tree fs.FS) (found []finding, err error) {
	entries, err := fs.ReadDir(tree, ".")
	for _, entry := range entries {
		known := entry.IsDir() || slices.ContainsFunc(topFiles, func(pattern string) bool {
			matches, err := path.Match(pattern, entry.Name())
			return err == nil && matches
		})
		if !known && path.Ext(entry.Name()) != ".go" { // the rule of imports has a sentence for code
			found = append(found, finding{entry.Name(), "a file at the top level: put it into the folder of its subject"})
		}
	}
	return found, err
}

// The table of rooms ends at the first line that is not a row.
var roomTable = regexp.MustCompile(`(?m)^\| room \|.*\n\|[ -|]+\n((?:\|.*\n)*)`)

var quoted = regexp.MustCompile("`([^`]+)`")

// roomFindings compares the folders of the tree with the table of rooms of a page: each has a row, and each name in the first
// column of a row is a folder, or a file, of the tree.
func roomFindings(names []string, page, text string) []finding {
	table := roomTable.FindStringSubmatch(text)
	if table == nil {
		return []finding{{page, "has no table that begins with | room |"}}
	}
	var listed []string
	for row := range strings.Lines(table[1]) {
		first, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
		for _, hit := range quoted.FindAllStringSubmatch(first, -1) {
			listed = append(listed, hit[1])
		}
	}
	var found []finding
	known := map[string]bool{}
	for _, name := range names {
		room := roomOf(name)
		if strings.HasPrefix(room, ".") {
			continue // not of the house, but of the tools around it
		}
		if room != "" && !known[room] && !slices.Contains(listed, room) {
			found = append(found, finding{page, fmt.Sprintf("no row for the room %s", room)})
		}
		known[name], known[room] = true, true
	}
	for _, name := range listed {
		if !known[path.Clean(name)] {
			found = append(found, finding{page, "has a row for " + name + ", which is no room"})
		}
	}
	return found
}

// importsColumn is the column of the table of rooms that names what a room imports.
const importsColumn = "imports of ours"

// roomImportFindings compares that column with the directions: for each row of a room that has a direction, both name the same
// rooms.
func roomImportFindings(page, text string) (found []finding) {
	table := roomTable.FindStringSubmatch(text)
	if table == nil {
		return []finding{{page, "has no table that begins with | room |"}}
	}
	head, _, _ := strings.Cut(table[0], "\n")
	column := slices.Index(cellsOf(head), importsColumn)
	if column < 0 {
		return []finding{{page, "the table of rooms has no column " + importsColumn}}
	}
	for row := range strings.Lines(table[1]) {
		cells := cellsOf(row)
		room := strings.Trim(cells[0], "`")
		rule, known := directions[room]
		if !known || len(cells) <= column {
			continue
		}
		var listed []string
		for _, hit := range quoted.FindAllStringSubmatch(cells[column], -1) {
			listed = append(listed, hit[1])
		}
		slices.Sort(listed)
		if allowed := slices.Sorted(slices.Values(rule.allowed)); !slices.Equal(listed, allowed) {
			fault := fmt.Sprintf("%s imports %v by its row and %v by its direction", room, listed, allowed)
			found = append(found, finding{page, fault})
		}
	}
	return found
}

// cellsOf returns the cells of a row of a Markdown table.
func cellsOf(row string) []string {
	cells := strings.Split(strings.Trim(strings.TrimSpace(row), "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}
