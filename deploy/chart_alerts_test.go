package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"flashsale/test/harness"
)

// alertSource has the alerts for every Prometheus; the chart has a copy, because it reads only its own files.
const (
	alertSource = "alerts/flashsale.yaml"
	alertFile   = "chart/files/alerts.yaml"
)

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
	kept(t, alertFile, read(t, alertSource))
	queries := canaryQueries(t)
	critical := 0
	for _, a := range alerts(t) {
		if a.Labels["severity"] == "critical" {
			critical++
			require.Contains(t, queries[metricOf(a.Alert)], strings.TrimSpace(a.Expr), a.Alert)
		}
	}
	require.Len(t, queries, critical)
}

// course is a test of alerts/tests.yaml; the members that are not named here stay as they are.
type course struct {
	Name   string `yaml:"name"`
	Alerts []struct {
		At     string `yaml:"eval_time"`
		Alert  string `yaml:"alertname"`
		Alerts []any  `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test,omitempty"`
	Queries []object `yaml:"promql_expr_test,omitempty"`
	Rest    object   `yaml:",inline"`
}

// courses returns the courses of events in which alerts fire and do not.
func courses(t *testing.T) []course {
	t.Helper()
	var file struct{ Tests []course }
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "alerts/tests.yaml")), &file))
	require.NotEmpty(t, file.Tests)
	return file.Tests
}

// promtoolTests runs courses with their queries.
func promtoolTests(t *testing.T, rules []string, all []course) {
	t.Helper()
	text, err := yaml.Marshal(object{"rule_files": rules, "evaluation_interval": "5s", "tests": all})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "tests.yaml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	result := harness.Promtool(t, "test", "rules", file)
	require.Zero(t, result.Code, "%s%s", result.Stdout, result.Stderr)
}

// A canary is rolled back where an alert fires, and nowhere else: in the courses of the alerts' tests, an alert's query has an
// answer where the alert fires, and none where it does not, at any moment of a course that the alert waits to end.
func TestCanaryRollsBackWhereAnAlertFires(t *testing.T) {
	queries, waits := canaryQueries(t), map[string]bool{}
	for _, a := range alerts(t) {
		waits[a.Alert] = a.For != ""
	}
	asked := []course{}
	for _, c := range courses(t) {
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
