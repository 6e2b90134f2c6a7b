package tidy

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// Names of packages that name no responsibility.
var emptyNames = []string{"util", "utils", "common", "models", "model", "service", "services", "helper", "helpers", "misc"}

// packageFindings names packages without a comment on their role, and packages whose name names no responsibility.
func packageFindings(parsed []*source) []finding {
	described := map[string]bool{}
	var order []string
	var found []finding
	for _, s := range parsed {
		if strings.HasSuffix(s.name, "_test.go") {
			continue
		}
		folder := path.Dir(s.name)
		if _, seen := described[folder]; !seen {
			order, described[folder] = append(order, folder), false
			if slices.Contains(emptyNames, s.syntax.Name.Name) {
				found = append(found, finding{folder, "package " + s.syntax.Name.Name + " is named after no responsibility"})
			}
		}
		described[folder] = described[folder] || s.syntax.Doc != nil
	}
	for _, folder := range order {
		if !described[folder] {
			found = append(found, finding{folder, "no package comment says its role"})
		}
	}
	return found
}

// skips are the ways in which a test can leave without having tested.
var skips = []string{"Skip", "Skipf", "SkipNow"}

// virtualTime is the folder whose tests run in testing/synctest from end to end.
const virtualTime = "test/sim/"

// testFindings names tests that skip or sleep: a test that may skip may never run, and a sleep is too short on a slow
// machine and too long on all others. In the simulator time is virtual, so a sleep there is a signal.
func testFindings(parsed []*source) []finding {
	var found []finding
	for _, s := range parsed {
		if !s.isTest() || strings.HasPrefix(s.name, virtualTime) {
			continue
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			call, is := node.(*ast.CallExpr)
			if !is {
				return true
			}
			if fault := callFault(call); fault != "" {
				found = append(found, finding{s.at(call.Pos()), fault})
			}
			return true
		})
	}
	return found
}

func callFault(call *ast.CallExpr) string {
	selector, is := call.Fun.(*ast.SelectorExpr)
	if !is {
		return ""
	}
	from, is := selector.X.(*ast.Ident)
	switch {
	case is && from.Name == "time" && selector.Sel.Name == "Sleep":
		return "a test that sleeps: wait for a signal, or move an injected clock"
	case is && slices.Contains(skips, selector.Sel.Name):
		return "a test that skips: what it needs is a condition of the run, and its absence a failure"
	}
	return ""
}

// discardFindings names places that discard a result by `_ =` without a comment on the same line or the one above: an
// ignored error needs a reason that a reader can check.
func discardFindings(parsed []*source) []finding {
	var found []finding
	for _, s := range parsed {
		if s.isTest() {
			continue
		}
		explained := commentLines(s)
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			assign, is := node.(*ast.AssignStmt)
			if !is || !discardsCall(assign) {
				return true
			}
			if line := s.line(assign.Pos()); !explained[line] && !explained[line-1] {
				found = append(found, finding{s.at(assign.Pos()), "a result is thrown away without a comment that says why"})
			}
			return true
		})
	}
	return found
}

// discardsCall reports whether every result of a call goes to the blank identifier.
func discardsCall(assign *ast.AssignStmt) bool {
	if len(assign.Rhs) != 1 {
		return false
	}
	if _, call := assign.Rhs[0].(*ast.CallExpr); !call {
		return false
	}
	for _, left := range assign.Lhs {
		if name, is := left.(*ast.Ident); !is || name.Name != "_" {
			return false
		}
	}
	return true
}

func commentLines(s *source) map[int]bool {
	lines := map[int]bool{}
	for _, group := range s.syntax.Comments {
		for line := s.line(group.Pos()); line <= s.line(group.End()); line++ {
			lines[line] = true
		}
	}
	return lines
}
