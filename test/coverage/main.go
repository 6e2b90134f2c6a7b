// Command coverage prints which part of each production room's statements the tests run, and of all rooms together. It exits 1
// when that is less than asked.
//
//	coverage -least 85 bin/coverage.out
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/cover"
)

const module = "flashsale/"

// count is statements, and how many of them ran.
type count struct{ ran, all int }

func (c count) percent() float64 { return 100 * float64(c.ran) / float64(max(c.all, 1)) }

func main() {
	least := flag.Float64("least", 0, "percent of the statements of all production rooms that have to run")
	flag.Parse()
	rooms, err := read(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if total := report(os.Stdout, rooms); total < *least {
		fmt.Fprintf(os.Stderr, "coverage: %.1f %% of the statements ran, less than %.1f %%\n", total, *least)
		os.Exit(1)
	}
}

// read counts the statements of each room in profiles. Blocks that several test programs ran are counted once.
func read(profiles []string) (map[string]count, error) {
	rooms := map[string]count{}
	for _, name := range profiles {
		files, err := cover.ParseProfiles(name) // it merges the blocks of a file
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		for _, file := range files {
			room, _, inRoom := strings.Cut(strings.TrimPrefix(file.FileName, module), "/")
			if !inRoom || room == "test" {
				continue
			}
			of := rooms[room]
			for _, block := range file.Blocks {
				of.all += block.NumStmt
				if block.Count > 0 {
					of.ran += block.NumStmt
				}
			}
			rooms[room] = of
		}
	}
	if len(rooms) == 0 {
		return nil, fmt.Errorf("no production room is in %s", strings.Join(profiles, ", "))
	}
	return rooms, nil
}

// report prints the rooms, the least covered first, and returns the percentage of all.
func report(w io.Writer, rooms map[string]count) float64 {
	var total count
	names := slices.SortedFunc(maps.Keys(rooms), func(a, b string) int {
		return cmp.Or(cmp.Compare(rooms[a].percent(), rooms[b].percent()), cmp.Compare(a, b))
	})
	for _, name := range names {
		fmt.Fprintf(w, "coverage: %5.1f %% of %5d statements in %s\n", rooms[name].percent(), rooms[name].all, name)
		total.ran, total.all = total.ran+rooms[name].ran, total.all+rooms[name].all
	}
	fmt.Fprintf(w, "coverage: %5.1f %% of %5d statements in all production rooms\n", total.percent(), total.all)
	return total.percent()
}
