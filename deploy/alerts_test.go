package deploy_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"flashsale/sale"
	"flashsale/test/harness"
)

// alert is one rule of alerts/flashsale.yaml.
type alert struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alert }
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "alerts/flashsale.yaml")), &file))
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

// Each alert leads to a section of the operators' page, and each section of the page's alerts has an alert.
func TestAlertsHaveRunbooks(t *testing.T) {
	page := read(t, filepath.Join("..", "docs", "operations.md"))
	_, page, found := strings.Cut(page, "\n## Alerts\n")
	require.True(t, found)
	page, _, _ = strings.Cut(page, "\n## ")
	sections := map[string]bool{}
	for _, hit := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(page, -1) {
		sections[hit[1]] = true
	}
	for _, a := range alerts(t) {
		require.True(t, sections[a.Alert], "%s has no section", a.Alert)
		delete(sections, a.Alert)
		require.Equal(t, "docs/operations.md#"+strings.ToLower(a.Alert), a.Annotations["runbook_url"], a.Alert)
		require.Contains(t, []string{"critical", "warning"}, a.Labels["severity"], a.Alert)
		require.Contains(t, page, "### "+a.Alert+"\n\n"+strings.ToUpper(a.Labels["severity"][:1])+a.Labels["severity"][1:]+": ")
		require.NotEmpty(t, a.Annotations["summary"], a.Alert)
	}
	require.Empty(t, sections, "sections without an alert")
}

// A sale that sells out refuses nearly everybody: no alert looks at refusals, of presses or of tokens.
func TestAlertsIgnoreRefusals(t *testing.T) {
	for _, a := range alerts(t) {
		require.NotContains(t, a.Expr, "token_refusals", a.Alert)
		for _, o := range sale.Outcomes() {
			if o.Row().Status >= 400 {
				require.NotRegexp(t, `\b`+o.String()+`\b`, a.Expr, a.Alert)
			}
		}
	}
}

// Each metric of a rule has its row on the operators' page.
func TestAlertsAskMetricsThatExist(t *testing.T) {
	page := read(t, filepath.Join("..", "docs", "operations.md"))
	for _, a := range alerts(t) {
		names := regexp.MustCompile(`flashsale_\w+`).FindAllString(a.Expr, -1)
		for _, name := range names {
			require.Regexp(t, "(?m)^\\| `"+name+"[`{]", page, a.Alert)
		}
	}
}

// promtool takes the rules, and in its tests each alert fires in one course of events and does not in another.
func TestAlertsAreTested(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			Rules []struct {
				Alert string     `yaml:"alertname"`
				Fires []struct{} `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "alerts/tests.yaml")), &file))
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, rule := range test.Rules {
			fires[rule.Alert] = fires[rule.Alert] || len(rule.Fires) > 0
			silent[rule.Alert] = silent[rule.Alert] || len(rule.Fires) == 0
		}
	}
	for _, a := range alerts(t) {
		require.True(t, fires[a.Alert] && silent[a.Alert], "%s is not tested both ways", a.Alert)
	}
	for _, args := range [][]string{
		{"check", "rules", "alerts/flashsale.yaml"}, {"check", "config", "prometheus/prometheus.yaml"},
		{"test", "rules", "alerts/tests.yaml"},
	} {
		result := harness.Promtool(t, args...)
		require.Zero(t, result.Code, "promtool %v\n%s%s", args, result.Stdout, result.Stderr)
	}
}

// The list of targets has the form that file_sd_configs and http_sd_configs read, with the label by which the jobs choose theirs.
func TestTargetsAreAList(t *testing.T) {
	var targets []struct {
		Targets []string
		Labels  map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "prometheus/targets.json")), &targets))
	processes := map[string][]string{}
	for _, one := range targets {
		processes[one.Labels["process"]] = append(processes[one.Labels["process"]], one.Targets...)
	}
	require.Equal(t, map[string][]string{"gateway": {"127.0.0.1:8081"}, "settle": {"127.0.0.1:8082"}}, processes,
		"the listeners of the default settings")
}
