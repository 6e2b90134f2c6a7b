package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"flashsale/test/harness"
)

// alertSource has the alerts for a Prometheus of one installation. The chart has them with the namespace of its release, because
// one Prometheus may watch several, and reads only its own files.
const (
	alertSource = "alerts/flashsale.yaml"
	alertFile   = "chart/files/alerts.yaml"
)

// namespacePlace stands in the chart's file for the namespace of the release.
const namespacePlace = "$NAMESPACE"

// ourSeries is the name of a series of ours, with the bracket of its labels.
var ourSeries = regexp.MustCompile(`\b(flashsale_\w+\{?|up\{)`)

// inNamespace gives every series of a text but those in comments the label of a namespace.
func inNamespace(text, namespace string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			line = ourSeries.ReplaceAllStringFunc(line, func(name string) string {
				bare, more := strings.CutSuffix(name, "{")
				if more {
					return bare + `{namespace="` + namespace + `",`
				}
				return bare + `{namespace="` + namespace + `"}`
			})
		}
		out.WriteString(line)
	}
	return out.String()
}

// chartAlerts returns the alerts as the chart has them: their series and they themselves are those of a namespace.
func chartAlerts(t *testing.T) string {
	t.Helper()
	text := strings.ReplaceAll(read(t, alertSource), "labels: {severity: ",
		`labels: {namespace: "`+namespacePlace+`", severity: `)
	return inNamespace(text, namespacePlace)
}

// canaryQueries returns the queries that a canary asks Prometheus, by the name of the metric.
func canaryQueries(t *testing.T) map[string]string {
	t.Helper()
	queries := map[string]string{}
	analysis := manifests(t, rendered(t, "canary"))["AnalysisTemplate flashsale-alerts"]
	for _, metric := range at[[]any](t, analysis, "spec", "metrics") {
		require.Equal(t, 0, at[int](t, metric, "failureLimit"))
		queries[at[string](t, metric, "name")] = at[string](t, metric, "provider", "prometheus", "query")
	}
	return queries
}

// metricOf returns the name of a canary's metric for an alert.
func metricOf(alert string) string {
	return strings.ToLower(regexp.MustCompile(`(\w)([A-Z])`).ReplaceAllString(alert, "$1-$2"))
}

// The chart has the alerts, and each critical one rolls a canary back.
func TestChartHasTheAlerts(t *testing.T) {
	kept(t, alertFile, chartAlerts(t))
	queries := canaryQueries(t)
	critical := 0
	for _, a := range alerts(t) {
		if a.Labels["severity"] == "critical" {
			critical++
			require.Contains(t, queries[metricOf(a.Alert)], inNamespace(strings.TrimSpace(a.Expr), "shop"), a.Alert)
		}
	}
	require.Len(t, queries, critical)
}

// course is a test of alerts/tests.yaml; the members that are not named here stay as they are.
type course struct {
	Name    string      `yaml:"name"`
	Alerts  []alertTest `yaml:"alert_rule_test,omitempty"`
	Queries []object    `yaml:"promql_expr_test,omitempty"`
	Rest    object      `yaml:",inline"`
}

// alertTest says which alerts of a name fire at a moment of a course.
type alertTest struct {
	At     string `yaml:"eval_time"`
	Alert  string `yaml:"alertname"`
	Alerts []any  `yaml:"exp_alerts"`
}

// courses returns the courses of events in which alerts fire and do not, of an installation in a namespace.
func courses(t *testing.T, namespace string) []course {
	t.Helper()
	text := strings.ReplaceAll(read(t, "alerts/tests.yaml"), "exp_labels: {", "exp_labels: {namespace: "+namespace+", ")
	var file struct{ Tests []course }
	require.NoError(t, yaml.Unmarshal([]byte(inNamespace(text, namespace)), &file))
	require.NotEmpty(t, file.Tests)
	return file.Tests
}

// promtoolTests runs courses with their queries. Each has the rules of the alerts that it names, and no others: promtool
// evaluates every rule of a file at every step of a course.
func promtoolTests(t *testing.T, groups []any, all []course) {
	t.Helper()
	folder, args := t.TempDir(), []string{"test", "rules"}
	write := func(name string, what object) string {
		text, err := yaml.Marshal(what)
		require.NoError(t, err)
		file := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(file, text, 0o600))
		return file
	}
	for n, c := range all {
		named := []object{{"name": "named", "rules": c.rules(t, groups)}}
		rules := write(fmt.Sprintf("rules-%d.yaml", n), object{"groups": named})
		args = append(args, write(fmt.Sprintf("tests-%d.yaml", n),
			object{"rule_files": []string{rules}, "evaluation_interval": "5s", "tests": []course{c}}))
	}
	result := harness.Promtool(t, args...)
	require.Zero(t, result.Code, "%s%s", result.Stdout, result.Stderr)
}

// rules returns those of the alerts that a course names.
func (c course) rules(t *testing.T, groups []any) (found []any) {
	t.Helper()
	for _, group := range groups {
		for _, rule := range at[[]any](t, group, "rules") {
			if slices.ContainsFunc(c.Alerts, func(a alertTest) bool { return a.Alert == at[string](t, rule, "alert") }) {
				found = append(found, rule)
			}
		}
	}
	require.Equal(t, len(groups) > 0 && len(c.Alerts) > 0, len(found) > 0, "rules of the course %s", c.Name)
	return found
}

// A canary is rolled back where an alert fires, and nowhere else: in the courses of the alerts' tests, an alert's query has an
// answer where the alert fires, and none where it does not, at any moment of a course that the alert waits to end.
func TestCanaryRollsBackWhereAnAlertFires(t *testing.T) {
	queries, waits := canaryQueries(t), map[string]bool{}
	for _, a := range alerts(t) {
		waits[a.Alert] = a.For != ""
	}
	asked := []course{}
	for _, c := range courses(t, "shop") {
		for _, rule := range c.Alerts {
			query, critical := queries[metricOf(rule.Alert)]
			if !critical {
				continue
			}
			ask := func(at string, samples ...object) {
				c.Queries = append(c.Queries, object{"expr": "count(" + query + ") > bool 0", "eval_time": at,
					"exp_samples": samples})
			}
			if len(rule.Alerts) > 0 {
				ask(rule.At, object{"labels": "{}", "value": 1})
				continue
			}
			ask(rule.At)
			end, err := time.ParseDuration(rule.At)
			require.NoError(t, err)
			const longest = 75 * time.Second // before that a query looks at the time before the course
			for when := longest; waits[rule.Alert] && when <= end; when += 5 * time.Second {
				ask(when.String())
			}
		}
		if len(c.Queries) > 0 {
			c.Alerts = nil
			asked = append(asked, c)
		}
	}
	require.GreaterOrEqual(t, len(asked), 2*len(queries), "each alert is tested both ways")
	promtoolTests(t, nil, asked)
}

// The chart's alerts fire for the installation of their namespace, with its name, as those for every Prometheus do, and are
// silent about another one, except that nobody measures the own one then.
func TestChartAlertsKnowTheirInstallation(t *testing.T) {
	t.Parallel()
	groups := at[[]any](t, manifests(t, rendered(t, "production"))["PrometheusRule flashsale"], "spec", "groups")
	promtoolTests(t, groups, courses(t, "shop"))
	others := courses(t, "staging")
	for i := range others {
		for j, rule := range others[i].Alerts {
			if rule.Alert == "FlashsaleNobodyMeasures" {
				others[i].Alerts = nil
				break
			}
			others[i].Alerts[j].Alerts = nil
		}
	}
	promtoolTests(t, groups, others)
}

// The base URL goes before the runbook of each alert, with one slash between them, and the command of the page does the same for
// those who load the file of the alerts.
func TestChartPrefixesRunbooks(t *testing.T) {
	const base = "https://wiki.example/flashsale/"
	for given, prefix := range map[string]string{"": "", base: base, strings.TrimSuffix(base, "/"): base} {
		all := manifests(t, rendered(t, "minimal", "--set", "metrics.rules=true,metrics.runbooks="+given))
		for _, group := range at[[]any](t, all["PrometheusRule flashsale"], "spec", "groups") {
			for _, rule := range at[[]any](t, group, "rules") {
				want := prefix + "docs/operations.md#" + strings.ToLower(at[string](t, rule, "alert"))
				require.Equal(t, want, at[string](t, rule, "annotations", "runbook_url"))
			}
		}
	}
	command := regexp.MustCompile(`(?m)^sed '(.+)' deploy/(alerts/.+)$`)
	found := command.FindStringSubmatch(read(t, filepath.Join("..", "docs", "operations.md")))
	require.NotNil(t, found)
	edited, err := exec.Command("sed", found[1], found[2]).Output()
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(read(t, alertSource), "runbook_url: ", "runbook_url: "+base), string(edited))
}
