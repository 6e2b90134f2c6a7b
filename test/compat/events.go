package compat

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Tally is what go test -json told.
type Tally struct {
	Passed   int
	Failed   []string          // PACKAGE.TEST, without the tests that failed only because of a part of theirs
	Versions map[string]string // by role
	Output   map[string]string // of the tests that failed, and of packages that did not build or ran out of time
}

// event is one line of go test -json.
type event struct{ Action, Package, Test, Output string }

var versionLine = regexp.MustCompile(`: (database|redis|kafka) is (\S+)`)

// ReadTally reads the lines of one call. It counts a test with parts once, and by its parts where they failed.
func ReadTally(from io.Reader) (*Tally, error) {
	t := &Tally{Versions: map[string]string{}, Output: map[string]string{}}
	output, failed := map[string]*strings.Builder{}, map[string]bool{}
	var order []string
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20) // an assertion may print whole answers; a longer line fails the run
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("go test -json printed %q: %w", lines.Text(), err)
		}
		name := strings.TrimPrefix(e.Package, "flashsale/")
		if e.Test != "" {
			name += "." + e.Test
		}
		switch {
		case e.Action == "output":
			if output[name] == nil {
				output[name] = &strings.Builder{}
			}
			output[name].WriteString(e.Output)
			if found := versionLine.FindStringSubmatch(e.Output); found != nil {
				t.Versions[found[1]] = found[2]
			}
		case e.Action == "pass" && e.Test != "" && !strings.Contains(e.Test, "/"):
			t.Passed++
		case e.Action == "fail":
			failed[name] = true
			order = append(order, name)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the output of go test -json: %w", err)
	}
	t.Failed = innermost(order)
	for _, name := range t.Failed {
		if output[name] != nil {
			t.Output[name] = output[name].String()
		}
	}
	return t, nil
}

// innermost drops names that are followed by a dot or a slash in another name: a package of a failed test, a test of a
// failed part.
func innermost(names []string) (kept []string) {
	for _, name := range names {
		inner := false
		for _, other := range names {
			inner = inner || strings.HasPrefix(other, name+".") || strings.HasPrefix(other, name+"/")
		}
		if !inner {
			kept = append(kept, name)
		}
	}
	return kept
}
