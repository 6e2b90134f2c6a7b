package tidy

import (
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const metricPrefix = "flashsale_"

// registered returns the metrics that production code makes, each with a place: the Name of an options literal, and the first
// argument of NewDesc.
func registered(parsed []*source) map[string]string {
	metrics := map[string]string{}
	for _, s := range parsed {
		if s.isTest() {
			continue
		}
		note := func(value ast.Expr) {
			literal, is := value.(*ast.BasicLit)
			if !is {
				return
			}
			if name, err := strconv.Unquote(literal.Value); err == nil && strings.HasPrefix(name, metricPrefix) {
				metrics[name] = s.at(value.Pos())
			}
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.KeyValueExpr:
				if key, is := n.Key.(*ast.Ident); is && key.Name == "Name" {
					note(n.Value)
				}
			case *ast.CallExpr:
				if selector, is := n.Fun.(*ast.SelectorExpr); is && selector.Sel.Name == "NewDesc" {
					note(n.Args[0])
				}
			}
			return true
		})
	}
	return metrics
}

// metricName finds metrics on a page: in backquotes, perhaps with labels. The database user flashsale_migrate is in quotes.
var metricName = regexp.MustCompile("`(flashsale_[a-z_]+)(?:\\{[a-z_,]+\\})?`")

// metricFindings compares the metrics of the code with the operators' page: each has a row of a table, and the page names no
// other.
func metricFindings(parsed []*source, name, page string) []finding {
	metrics, rows := registered(parsed), map[string]bool{}
	var found []finding
	for line := range strings.Lines(page) {
		for _, hit := range metricName.FindAllStringSubmatch(line, -1) {
			if _, is := metrics[hit[1]]; !is {
				found = append(found, finding{name, "names " + hit[1] + ", which no code registers"})
			}
			rows[hit[1]] = rows[hit[1]] || strings.HasPrefix(line, "| `"+hit[1])
		}
	}
	for metric, place := range metrics {
		if !rows[metric] {
			found = append(found, finding{place, metric + " has no row in " + name})
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.String(), b.String()) })
	return found
}
