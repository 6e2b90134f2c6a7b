package tidy

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// calls of the table of leases: a room that makes them decides by itself when a lease is owned.
var leaseCalls = []string{"AcquireLease", "ReleaseLease"}

// ownLeases names the rooms and files that may call the table of leases, and why.
var ownLeases = map[string]string{
	"lease/": "the room that decides when a lease is owned",
	"store/": "the table itself",
}

// leaseFindings names code outside the room lease that acquires, releases or names a lease: two rooms that should exclude
// each other then rely on two spellings of one name and two opinions about when a lease is lost.
func leaseFindings(parsed []*source) []finding {
	return unexcused(parsed, leaseBreaches, ownLeases)
}

func leaseBreaches(s *source) (found []finding) {
	ast.Inspect(s.syntax, func(node ast.Node) bool {
		if fault := leaseFault(node); fault != "" {
			found = append(found, finding{s.at(node.Pos()), fault})
		}
		return true
	})
	return found
}

func leaseFault(node ast.Node) string {
	switch n := node.(type) {
	case *ast.CallExpr:
		selector, is := n.Fun.(*ast.SelectorExpr)
		switch {
		case is && slices.Contains(leaseCalls, selector.Sel.Name):
			return "calls " + selector.Sel.Name + ": lease.Lease acquires, renews and releases leases for every room"
		case isOf(n.Fun, "lease", "Name"):
			return "makes a name of a lease: package lease names them all, so that rooms exclude each other"
		}
	case *ast.CompositeLit:
		if isOf(n.Type, "lease", "Lease") && slices.ContainsFunc(n.Elts, isLiteralName) {
			return "spells the name of a lease: package lease names them all, so that rooms exclude each other"
		}
	}
	return ""
}

// isLiteralName reports whether an element of a literal is a member Name whose value is written out.
func isLiteralName(element ast.Expr) bool {
	member, is := element.(*ast.KeyValueExpr)
	if !is {
		return false
	}
	name, is := member.Key.(*ast.Ident)
	if !is || name.Name != "Name" {
		return false
	}
	literal, is := member.Value.(*ast.BasicLit)
	return is && literal.Kind == token.STRING
}

// ownLoops names the rooms and files that may repeat work by a loop of their own, and why.
var ownLoops = map[string]string{
	"lease/tenure.go":      "renewals of one tenure: when they fail for too long the tenure ends, and its work logs that",
	"adminclient/audit.go": "a command that waits for an answer: it shares the nouns with the API and no code",
	"audit/audit.go":       "the second code path: it shares the nouns with the engine and nothing else",
	"gateway/listener.go":  "accepts of a listener: a listener has no context, and its close ends the loop",
	"store/transaction.go": "attempts of one transaction: the store may not depend on how its users repeat their work",
	"settle/consumer.go":   "commits of offsets: a pause follows each, and the next commit replaces one that fails",
	"settle/settler.go":    "sessions of the group: a pause follows only those that failed, and some errors end them all",
	"cli/demo.go":          "a command that prints a line a second until its buyers are done: the engine has no part in it",
	"cli/devsale.go":       "a command that waits a moment for the gateway: the engine has no part in it",
	"loadtest/":            "a client that paces its requests: it is not a part of the engine",
}

// loopFindings names code outside the room role that repeats work after a pause: role.Loop and role.Until end with their
// context, rest after failures and log only changes, which a loop written anew has to get right again.
func loopFindings(parsed []*source) []finding {
	return unexcused(parsed, loopBreaches, ownLoops)
}

func loopBreaches(s *source) (found []finding) {
	ast.Walk(&loopVisitor{report: func(call *ast.CallExpr, fault string) {
		found = append(found, finding{s.at(call.Pos()), fault})
	}}, s.syntax)
	return found
}

// loopVisitor keeps whether it is inside a for statement of the function that it visits.
type loopVisitor struct {
	inside bool
	report func(*ast.CallExpr, string)
}

// Visit implements ast.Visitor.
func (v *loopVisitor) Visit(node ast.Node) ast.Visitor {
	switch n := node.(type) {
	case *ast.ForStmt, *ast.RangeStmt:
		return &loopVisitor{inside: true, report: v.report}
	case *ast.FuncLit:
		return &loopVisitor{report: v.report} // it runs once for each call
	case *ast.CallExpr:
		switch {
		case isOf(n.Fun, "time", "NewTicker") || isOf(n.Fun, "time", "Tick"):
			v.report(n, "a ticker: work in an interval is a role.Loop")
		case v.inside && isPause(n.Fun):
			v.report(n, "a loop that pauses: repeated work is a role.Loop, repeated attempts are role.Until")
		}
	}
	return v
}

// isPause reports whether a function lets time go by: role.Pause, those of package time, and a helper with such a name.
func isPause(function ast.Expr) bool {
	if helper, is := function.(*ast.Ident); is {
		return helper.Name == "pause" || helper.Name == "sleep"
	}
	return isOf(function, "role", "Pause") || slices.ContainsFunc([]string{"Sleep", "After", "NewTimer"}, func(name string) bool {
		return isOf(function, "time", name)
	})
}

// isOf reports whether an expression is the member of a package.
func isOf(e ast.Expr, from, name string) bool {
	selector, is := e.(*ast.SelectorExpr)
	if !is || selector.Sel.Name != name {
		return false
	}
	of, is := selector.X.(*ast.Ident)
	return is && of.Name == from
}

// unexcused applies a rule to every file of production that has no line in a table, by its name or its folder's.
func unexcused(parsed []*source, breaches func(*source) []finding, table map[string]string) []finding {
	var found []finding
	for _, s := range parsed {
		excused := s.isTest() || lineOf(s, table) != ""
		if !excused {
			found = append(found, breaches(s)...)
		}
	}
	return found
}

// idleExcuses names the lines of a table that excuse nothing any more.
func idleExcuses(parsed []*source, breaches func(*source) []finding, table map[string]string) []finding {
	needed := map[string]bool{}
	for _, s := range parsed {
		if line := lineOf(s, table); line != "" && !s.isTest() && len(breaches(s)) > 0 {
			needed[line] = true
		}
	}
	var found []finding
	for line := range table {
		if !needed[line] {
			found = append(found, finding{line, "an exception that excuses nothing"})
		}
	}
	return found
}

// lineOf returns the line of a table that names a file or its folder, "" when there is none.
func lineOf(s *source, table map[string]string) string {
	for line := range table {
		if strings.HasPrefix(s.name, line) {
			return line
		}
	}
	return ""
}
