package tidy

import (
	"fmt"
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
