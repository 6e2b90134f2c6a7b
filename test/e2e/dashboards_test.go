package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/collector"
	"flashsale/test/harness"
)

// dashboardQuery is one query of a panel in deploy/grafana/dashboards.
type dashboardQuery struct{ dashboard, panel, expr string }

// dashboards reads every query of every panel, and the queries of the variables.
func dashboards(t *testing.T) (queries []dashboardQuery, variables []string) {
	t.Helper()
	files, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var d struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
			Templating struct {
				List []struct{ Type, Query string }
			}
		}
		require.NoError(t, json.Unmarshal(text, &d), file)
		for _, v := range d.Templating.List {
			if v.Type == "query" {
				variables = append(variables, v.Query)
			}
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				queries = append(queries, dashboardQuery{filepath.Base(file), p.Title, target.Expr})
			}
		}
	}
	return queries, variables
}

// prometheusOf starts a Prometheus with the configuration of deploy/prometheus, which scrapes the processes of the stack each
// second. The targets have the label of a namespace unless it is empty.
func prometheusOf(s *stack, namespace string, flags ...string) (url string) {
	s.t.Helper()
	text, err := os.ReadFile("../../deploy/prometheus/prometheus.yaml")
	require.NoError(s.t, err)
	rules, err := filepath.Abs("../../deploy/alerts/flashsale.yaml")
	require.NoError(s.t, err)
	type target struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	var targets []target
	add := func(process, address string) {
		labels := map[string]string{"process": process}
		if namespace != "" {
			labels["namespace"] = namespace
		}
		targets = append(targets, target{[]string{address}, labels})
	}
	for _, g := range s.Gateways {
		add("gateway", g.Operators)
	}
	for _, w := range s.Settles {
		add("settle", w.Listen)
	}
	list, err := json.Marshal(targets)
	require.NoError(s.t, err)
	file := filepath.Join(s.t.TempDir(), "targets.json")
	require.NoError(s.t, os.WriteFile(file, list, 0o600))
	conf := strings.NewReplacer("targets.json]", file+"]", "../alerts/flashsale.yaml", rules, "interval: 5s", "interval: 1s").
		Replace(string(text))
	require.NotContains(s.t, conf, "5s")
	return harness.Prometheus(s.t, conf, flags...)
}

// askPrometheus asks the HTTP API and decodes data.
func askPrometheus(t *testing.T, address string, query url.Values, data any) {
	t.Helper()
	answer, err := http.Get(address + "?" + query.Encode())
	require.NoError(t, err)
	defer answer.Body.Close()
	var body struct {
		Status, Error string
		Data          json.RawMessage
	}
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&body), address)
	require.Equal(t, "success", body.Status, "%s %v: %s", address, query, body.Error)
	require.NoError(t, json.Unmarshal(body.Data, data))
}

// samples counts the samples of a query since a moment that are numbers.
func samples(t *testing.T, prometheus, expr string, since time.Time) (count int) {
	t.Helper()
	stamp := func(at time.Time) string { return strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64) }
	var data struct {
		Result []struct{ Values [][2]any }
	}
	askPrometheus(t, prometheus+"/api/v1/query_range", url.Values{
		"query": {expr}, "start": {stamp(since)}, "end": {stamp(time.Now())}, "step": {"1"},
	}, &data)
	for _, series := range data.Result {
		for _, sample := range series.Values {
			if value, err := strconv.ParseFloat(fmt.Sprint(sample[1]), 64); err == nil && !math.IsNaN(value) {
				count++
			}
		}
	}
	return count
}

// watchedStack has all that a panel shows: a collector of traces, a replica for reads of orders, and files of certificates.
func watchedStack(t *testing.T) *stack {
	t.Helper()
	ca := harness.NewAuthority(t, "database")
	pair := ca.Server("mariadb", "127.0.0.1")
	own := ca.Client("engine", time.Now().Add(time.Hour))
	primary, replica := harness.MariaDBPair(t, "--ssl-ca="+ca.File, "--ssl-cert="+pair.Cert, "--ssl-key="+pair.Key)
	name := fmt.Sprintf("watched-%x", time.Now().UnixMilli())
	return newStack(t, servers{Name: name, MariaDB: primary, Env: []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.HTTP(t).URL,
		"FLASHSALE_MYSQL_READ_DSN=" + replica.At(primary.DSN(name), primary), "FLASHSALE_MYSQL_TLS_CA_FILE=" + ca.File,
		"FLASHSALE_MYSQL_TLS_CERT_FILE=" + own.Cert, "FLASHSALE_MYSQL_TLS_KEY_FILE=" + own.Key,
	}})
}

// Every query of every panel has numbers on a Prometheus that has scraped a rush, also on one that ingests native histograms;
// every rule can be evaluated, and a rush that goes well raises no alert. One Prometheus gives its series a namespace, which the
// reader chooses; the series of the other have none, and all namespaces show them.
func TestDashboardsShowARush(t *testing.T) {
	s := watchedStack(t).run(2, 1)
	s.open("rush", lasting(phone(500)))
	s.used(1)
	servers := map[string]string{
		"classic": prometheusOf(s, ""), "native": prometheusOf(s, "shop", "--enable-feature=native-histograms"),
	}
	namespaces := map[string]string{"classic": ".*", "native": "shop"}
	began := time.Now()
	rush := s.Command("load", "rush", "--rate", "200", "--repeat", "0.3", "--buyers", "2000", "--sale", "rush", "--sku", "phone",
		"--url", "http://"+s.Gateways[0].Buyers+",http://"+s.Gateways[1].Buyers)
	require.Zero(t, rush.Code, "%s%s", rush.Stdout, rush.Stderr)
	const bucket = "flashsale_http_request_duration_seconds_bucket"
	require.Zero(t, samples(t, servers["native"], bucket, began), "only the native form of a histogram that has both")
	queries, variables := dashboards(t)
	for name, prometheus := range servers {
		values := strings.NewReplacer("$sale", "rush", "$instance", ".*", "$__rate_interval", "10s",
			"$namespace", namespaces[name])
		for _, q := range queries {
			expr := values.Replace(q.expr)
			assert.Eventually(t, func() bool { return samples(t, prometheus, expr, began) > 0 }, 20*time.Second,
				200*time.Millisecond, "%s, panel %s, on %s histograms: %s", q.dashboard, q.panel, name, expr)
		}
		for _, variable := range variables {
			hit := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(variable)
			require.NotNil(t, hit, variable)
			var labels []string
			of := url.Values{"match[]": {values.Replace(hit[1])}}
			askPrometheus(t, prometheus+"/api/v1/label/"+hit[2]+"/values", of, &labels)
			if hit[2] == "namespace" && name == "classic" {
				assert.Empty(t, labels, "no series has the label")
				continue
			}
			assert.NotEmpty(t, labels, variable)
		}
		checkRules(t, prometheus)
	}
}

// checkRules requires that Prometheus evaluates every rule and that no alert fires.
func checkRules(t *testing.T, prometheus string) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	evaluated := func() (all int) {
		askPrometheus(t, prometheus+"/api/v1/rules", nil, &rules)
		for _, group := range rules.Groups {
			for _, rule := range group.Rules {
				if rule.Health == "ok" {
					all++
				}
			}
		}
		return all
	}
	require.Eventually(t, func() bool { return evaluated() >= 23 }, 30*time.Second, 200*time.Millisecond, "%v", rules)
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			assert.NotEqual(t, "firing", rule.State, rule.Name)
			assert.Empty(t, rule.LastError, rule.Name)
		}
	}
}
