package tidy

import (
	"fmt"
	"go/ast"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	// A path in backquotes: folders and a last element, with letters that file names of the tree have.
	spanPath = regexp.MustCompile("`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+)`")
	linkPath = regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)

	// A test or benchmark in backquotes, perhaps with the room that holds it.
	spanTest = regexp.MustCompile("`((?:Test|Benchmark|Fuzz)[A-Z][A-Za-z0-9]*)`(?: in `([a-z0-9/]+)`)?")

	goTest  = regexp.MustCompile(`go test \./([a-z0-9/]+)( [^` + "`" + `\n]*)?`)
	pattern = regexp.MustCompile(`-(run|bench) (?:'([^']+)'|(\S+))`)
)

// made names what programs make beside the files of the tree; the folders of outside hold such files only.
var made = map[string]string{"deploy/.env": "the head of the compose file makes it, with secrets"}

// none is what pages write for a pattern that matches no test, so that benchmarks run alone.
const none = "xxx"

// pageFindings names what a page mentions and the tree does not have: files and folders in backquotes, targets of links,
// tests and benchmarks by their names, and patterns of `go test` that match none.
func pageFindings(tree fs.FS, tests map[string][]string, name, text string) (found []finding) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		faults := slices.Concat(pathFaults(tree, name, line), testFaults(tests, line), commandLineFaults(tests, line))
		for _, fault := range faults {
			found = append(found, finding{place(name, number), fault})
		}
	}
	return found
}

// pathFaults looks at paths that have the ending of a file of the tree or begin with one of its folders; others belong to
// libraries and servers.
func pathFaults(tree fs.FS, name, line string) (faults []string) {
	for _, hit := range spanPath.FindAllStringSubmatch(line, -1) {
		folder, _, _ := strings.Cut(hit[1], "/")
		file := path.Ext(hit[1]) != "" && slices.Contains(textKinds, path.Ext(hit[1]))
		if (file || exists(tree, folder)) && made[hit[1]] == "" && !slices.Contains(outside, folder) &&
			!strings.Contains(hit[1], "NNNN") && !exists(tree, hit[1]) {
			faults = append(faults, "names "+hit[1]+", which is not in the tree")
		}
	}
	for _, hit := range linkPath.FindAllStringSubmatch(line, -1) {
		if to := path.Join(path.Dir(name), hit[1]); !exists(tree, to) {
			faults = append(faults, "links to "+to+", which is not in the tree")
		}
	}
	return faults
}

func exists(tree fs.FS, name string) bool {
	_, err := fs.Stat(tree, path.Clean(name))
	return err == nil
}

func testFaults(tests map[string][]string, line string) (faults []string) {
	for _, hit := range spanTest.FindAllStringSubmatch(line, -1) {
		if hit[2] != "" && !slices.Contains(tests[hit[2]], hit[1]) {
			faults = append(faults, fmt.Sprintf("names %s, which is not in %s", hit[1], hit[2]))
		}
		if hit[2] == "" && !anywhere(tests, hit[1]) {
			faults = append(faults, "names "+hit[1]+", which is no test of the tree")
		}
	}
	return faults
}

func anywhere(tests map[string][]string, name string) bool {
	for _, names := range tests {
		if slices.Contains(names, name) {
			return true
		}
	}
	return false
}

// commandLineFaults tries each alternative of a pattern on the names of the folder's tests. A backslash before a bar is
// Markdown's, inside a table.
func commandLineFaults(tests map[string][]string, line string) (faults []string) {
	for _, command := range goTest.FindAllStringSubmatch(line, -1) {
		folder := strings.TrimSuffix(command[1], "/")
		for _, hit := range pattern.FindAllStringSubmatch(command[2], -1) {
			for _, alternative := range strings.Split(strings.ReplaceAll(hit[2]+hit[3], `\|`, "|"), "|") {
				if alternative != none && !matches(tests[folder], hit[1], alternative) {
					faults = append(faults, fmt.Sprintf("-%s %s matches nothing in %s", hit[1], alternative, folder))
				}
			}
		}
	}
	return faults
}

func matches(names []string, kind, expression string) bool {
	compiled, err := regexp.Compile(expression)
	return err == nil && slices.ContainsFunc(names, func(name string) bool {
		return strings.HasPrefix(name, "Benchmark") == (kind == "bench") && compiled.MatchString(name)
	})
}

// testsByFolder returns the names of tests, benchmarks and fuzz targets of each folder.
func testsByFolder(parsed []*source) map[string][]string {
	tests := map[string][]string{}
	for _, s := range parsed {
		if !strings.HasSuffix(s.name, "_test.go") {
			continue
		}
		for _, declaration := range s.syntax.Decls {
			if function, is := declaration.(*ast.FuncDecl); is && function.Recv == nil {
				tests[path.Dir(s.name)] = append(tests[path.Dir(s.name)], function.Name.Name)
			}
		}
	}
	return tests
}
