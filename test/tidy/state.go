package tidy

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// mayKeepState names the packages that hold mutable package state, with the reason.
var mayKeepState = map[string]string{
	"test/harness": "one set of shared servers in a test process is what it is for",
}

// stateFindings names package variables that functions change: two gateways must fit in one test. Tables, errors and
// compiled patterns are allowed, because no code writes to them after their initialization.
func stateFindings(parsed []*source) []finding {
	folders := map[string][]*source{}
	for _, s := range parsed {
		if !strings.HasSuffix(s.name, "_test.go") {
			folders[path.Dir(s.name)] = append(folders[path.Dir(s.name)], s)
		}
	}
	var found []finding
	for folder, group := range folders {
		if _, excused := mayKeepState[folder]; excused {
			continue
		}
		variables := packageVariables(group)
		for _, s := range group {
			found = append(found, declaredStates(s)...)
			found = append(found, writes(s, variables)...)
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.String(), b.String()) })
	return found
}

func packageVariables(group []*source) map[string]bool {
	names := map[string]bool{}
	for _, s := range group {
		eachVariable(s, func(spec *ast.ValueSpec) {
			for _, name := range spec.Names {
				names[name.Name] = true
			}
		})
	}
	return names
}

func eachVariable(s *source, visit func(*ast.ValueSpec)) {
	for _, declaration := range s.syntax.Decls {
		general, is := declaration.(*ast.GenDecl)
		if !is || general.Tok != token.VAR {
			continue
		}
		for _, spec := range general.Specs {
			if value, is := spec.(*ast.ValueSpec); is {
				visit(value)
			}
		}
	}
}

// declaredStates finds variables whose type exists to be changed: locks, once, atomics. A sync.Pool is allowed: its values
// are equal to new ones.
func declaredStates(s *source) []finding {
	var found []finding
	eachVariable(s, func(spec *ast.ValueSpec) {
		selector, is := spec.Type.(*ast.SelectorExpr)
		if !is {
			return
		}
		from, is := selector.X.(*ast.Ident)
		if is && (from.Name == "sync" || from.Name == "atomic") && selector.Sel.Name != "Pool" {
			found = append(found, finding{s.at(spec.Pos()), "package state: " + spec.Names[0].Name + " is made to be changed"})
		}
	})
	return found
}

// writes finds assignments to package variables inside functions. A local variable of the same name hides the package's:
// such functions are left to the reader.
func writes(s *source, variables map[string]bool) []finding {
	var found []finding
	for _, declaration := range s.syntax.Decls {
		function, is := declaration.(*ast.FuncDecl)
		if !is || function.Body == nil {
			continue
		}
		local := localNames(function)
		check := func(target ast.Expr) {
			name := root(target)
			if name != nil && variables[name.Name] && !local[name.Name] {
				found = append(found, finding{s.at(target.Pos()), "package state: " + name.Name + " is changed here"})
			}
		}
		ast.Inspect(function.Body, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, target := range n.Lhs {
						check(target)
					}
				}
			case *ast.IncDecStmt:
				check(n.X)
			}
			return true
		})
	}
	return found
}

// localNames collects every name that a function declares, at any depth.
func localNames(function *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(function, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				addNames(names, n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				addNames(names, n.Key, n.Value)
			}
		}
		return true
	})
	return names
}

func addNames(names map[string]bool, targets ...ast.Expr) {
	for _, target := range targets {
		if name, is := target.(*ast.Ident); is {
			names[name.Name] = true
		}
	}
}

// root returns the variable that an assignment changes: x of x, x[i], x.f and *x.
func root(target ast.Expr) *ast.Ident {
	for {
		switch t := target.(type) {
		case *ast.Ident:
			return t
		case *ast.IndexExpr:
			target = t.X
		case *ast.SelectorExpr:
			target = t.X
		case *ast.StarExpr:
			target = t.X
		case *ast.ParenExpr:
			target = t.X
		default:
			return nil
		}
	}
}
