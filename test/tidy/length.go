package tidy

import (
	"fmt"
	"go/ast"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// How long things may be. A file that grows beyond its bound holds two roles; a function beyond its bound is two.
const (
	maxFileLines     = 500
	maxFunctionLines = 70
	halfBelow        = 12 // half of all functions are shorter than this
	nineTenthsBelow  = 40 // nine in ten are shorter than this
)

var counted = []string{".go", ".lua", ".js"}

// fileFindings names the files of code that are too long.
func fileFindings(tree fs.FS) ([]finding, error) {
	names, err := files(tree)
	if err != nil {
		return nil, err
	}
	var found []finding
	for _, name := range names {
		if !slices.Contains(counted, path.Ext(name)) {
			continue
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		if lines := strings.Count(string(text), "\n"); lines > maxFileLines {
			found = append(found, finding{name, fmt.Sprintf("%d lines, at most %d", lines, maxFileLines)})
		}
	}
	return found, nil
}

// functionFindings names the functions that are too long, and reports when the distribution over all functions outside
// tests exceeds its limits.
func functionFindings(parsed []*source) []finding {
	var found []finding
	var lengths []int
	for _, s := range parsed {
		for _, declaration := range s.syntax.Decls {
			function, is := declaration.(*ast.FuncDecl)
			if !is {
				continue
			}
			lines := s.line(function.End()) - s.line(function.Pos()) + 1
			if lines > maxFunctionLines {
				fault := fmt.Sprintf("%s has %d lines, at most %d", function.Name.Name, lines, maxFunctionLines)
				found = append(found, finding{s.at(function.Pos()), fault})
			}
			if !s.isTest() {
				lengths = append(lengths, lines)
			}
		}
	}
	return append(found, distributionFindings(lengths)...)
}

func distributionFindings(lengths []int) []finding {
	if len(lengths) == 0 {
		return nil
	}
	slices.Sort(lengths)
	var found []finding
	for _, bound := range []struct{ percent, below int }{{50, halfBelow}, {90, nineTenthsBelow}} {
		if reached := lengths[(len(lengths)-1)*bound.percent/100]; reached >= bound.below {
			fault := fmt.Sprintf("%d %% of %d functions should have fewer than %d lines; that one has %d",
				bound.percent, len(lengths), bound.below, reached)
			found = append(found, finding{"all functions", fault})
		}
	}
	return found
}

// balanceFindings reports when there are fewer lines of tests than of source.
func balanceFindings(parsed []*source) []finding {
	var code, tests int
	for _, s := range parsed {
		if s.isTest() {
			tests += strings.Count(s.text, "\n")
		} else {
			code += strings.Count(s.text, "\n")
		}
	}
	if tests < code {
		return []finding{{"all files", fmt.Sprintf("%d lines of tests for %d lines of source", tests, code)}}
	}
	return nil
}
