package grafana

import (
	"fmt"
	"regexp"
	"strings"
)

// Sizes of a panel: two beside each other.
const (
	panelHeight = 8
	panelWidth  = 12
	rowWidth    = 24
)

// tag is what all dashboards have, and by which each links to the others.
const tag = "flashsale"

// prometheus is the data source that the variable of each dashboard chooses.
var prometheus = Datasource{Type: "prometheus", UID: "${datasource}"}

// view is a panel before it has a place: its title, the unit of its values, what it shows, and its queries with their legends.
type view struct {
	title, unit, says string
	queries           []query
}

type query struct{ expr, legend string }

// one is the queries of a view with a single one.
func one(expr, legend string) []query { return []query{{expr, legend}} }

// quantiles are the queries of a median and a 99th percentile of a histogram, by labels. A Prometheus that has the histogram as a
// native one has no series with _bucket, and the other way round.
func quantiles(histogram, matchers, by string) []query {
	legend := ""
	if by != "" {
		legend = " {{" + by + "}}"
	}
	ask := func(q string) string {
		return fmt.Sprintf("histogram_quantile(%[1]s, sum by (le, %[4]s) (rate(%[2]s_bucket%[3]s[$__rate_interval]))) or "+
			"histogram_quantile(%[1]s, sum by (%[4]s) (rate(%[2]s%[3]s[$__rate_interval])))", q, histogram, matchers, by)
	}
	return []query{{ask("0.5"), "p50" + legend}, {ask("0.99"), "p99" + legend}}
}

// series is the name of a series in a query, with the bracket of its matchers where it has some.
var series = regexp.MustCompile(`\b(?:(?:flashsale|go|process)_\w+\{?|up\{)`)

// inNamespace gives every series of a query the matcher of the namespaces that the reader chooses. Those of all namespaces (.*)
// include the series without that label.
func inNamespace(expr string) string {
	return series.ReplaceAllStringFunc(expr, func(name string) string {
		if bare, more := strings.CutSuffix(name, "{"); more {
			return bare + `{namespace=~"$namespace",`
		}
		return name + `{namespace=~"$namespace"}`
	})
}

// dashboard places views two in a row, and gives the panels their ids. Its variables are the data source, the namespaces that
// tell installations apart, and more of its own, whose values are those in these namespaces.
func dashboard(uid, title, says string, more []Variable, views ...view) Dashboard {
	zero := 0.0
	variables := []Variable{
		{Name: "datasource", Label: "Prometheus", Type: "datasource", Query: "prometheus", Refresh: 1},
		choice("namespace", "Namespace", "flashsale_build_info"),
	}
	for _, v := range more {
		v.Query = inNamespace(v.Query)
		variables = append(variables, v)
	}
	d := Dashboard{
		UID: uid, Title: title, Description: says, Tags: []string{tag}, SchemaVersion: 39, Version: 1, Editable: true,
		GraphTooltip: 1, Refresh: "5s", Timezone: "browser", Time: TimeRange{From: "now-15m", To: "now"},
		Templating: Templating{List: variables},
		Links: []Link{{
			Type: "dashboards", Title: "flashsale", Tags: []string{tag}, IncludeVars: true, KeepTime: true,
		}},
	}
	for i, v := range views {
		p := Panel{
			ID: i + 1, Type: "timeseries", Title: v.title, Description: v.says, Datasource: prometheus,
			GridPos: GridPos{
				H: panelHeight, W: panelWidth, X: i * panelWidth % rowWidth, Y: i * panelWidth / rowWidth * panelHeight,
			},
			FieldConfig: FieldConfig{Defaults: Defaults{Unit: v.unit, Min: &zero}},
			Options: map[string]any{
				"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true},
				"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
			},
		}
		for k, q := range v.queries {
			p.Targets = append(p.Targets, Target{
				RefID: string(rune('A' + k)), Datasource: prometheus, Expr: inNamespace(q.expr), LegendFormat: q.legend,
				Range: true,
			})
		}
		d.Panels = append(d.Panels, p)
	}
	return d
}

// choice is a variable whose values are those of a label.
func choice(name, label, metric string) Variable {
	return Variable{
		Name: name, Label: label, Type: "query", Query: fmt.Sprintf("label_values(%s, %s)", metric, name),
		Datasource: &prometheus, Refresh: 2, Multi: true, IncludeAll: true, AllValue: ".*",
	}
}
