package grafana

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var write = flag.Bool("write", false, "write the dashboards instead of comparing them")

// The files are what the package makes, and there are no others.
func TestDashboards(t *testing.T) {
	for name, d := range Dashboards() {
		made, err := json.MarshalIndent(d, "", " ")
		require.NoError(t, err)
		made = append(made, '\n')
		file := filepath.Join("dashboards", name)
		if *write {
			require.NoError(t, os.MkdirAll("dashboards", 0o755))
			require.NoError(t, os.WriteFile(file, made, 0o644))
		}
		found, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(made), string(found), "%s: run go generate ./deploy/grafana", file)
	}
	files, err := os.ReadDir("dashboards")
	require.NoError(t, err)
	require.Len(t, files, len(Dashboards()))
}

// Every panel says what it shows, in a unit of Grafana's, from the data source that the reader chooses, and has a place of its
// own.
func TestPanelsAreComplete(t *testing.T) {
	uids, titles := map[string]bool{}, map[string]bool{}
	for name, d := range Dashboards() {
		require.False(t, uids[d.UID] || titles[d.Title], name)
		uids[d.UID], titles[d.Title] = true, true
		require.NotEmpty(t, d.Description, name)
		require.Equal(t, "datasource", d.Templating.List[0].Type, name)
		ids, places, shown := map[int]bool{}, map[GridPos]bool{}, map[string]bool{}
		for _, p := range d.Panels {
			require.False(t, ids[p.ID] || places[p.GridPos] || shown[p.Title], "%s: %s", name, p.Title)
			ids[p.ID], places[p.GridPos], shown[p.Title] = true, true, true
			require.Contains(t, []string{perSecond, seconds, count, bytesUnit, share}, p.FieldConfig.Defaults.Unit, p.Title)
			require.Regexp(t, `^[A-Z0-9].*\.$`, p.Description, p.Title)
			require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, rowWidth, p.Title)
			require.NotEmpty(t, p.Targets, p.Title)
			require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
			for _, target := range p.Targets {
				require.Equal(t, "${datasource}", target.Datasource.UID, p.Title)
				require.NotEmpty(t, target.LegendFormat, p.Title)
			}
		}
	}
}

// A query uses only variables that its dashboard has.
func TestQueriesUseKnownVariables(t *testing.T) {
	used := regexp.MustCompile(`\$\{?(\w+)\}?`)
	for name, d := range Dashboards() {
		known := []string{"__rate_interval"}
		for _, v := range d.Templating.List {
			known = append(known, v.Name)
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				for _, hit := range used.FindAllStringSubmatch(target.Expr, -1) {
					require.True(t, slices.Contains(known, hit[1]), "%s, %s: $%s", name, p.Title, hit[1])
				}
			}
		}
	}
}

// Each dashboard shows one installation of several in a Prometheus: every series of every query, and of the other variables, is
// of the chosen namespaces. All of them include series without the label.
func TestQueriesKeepInstallationsApart(t *testing.T) {
	const matcher = `{namespace=~"$namespace"`
	aside := regexp.MustCompile(`\bby \([^)]*\)|\[[^\]]*\]`)
	name := regexp.MustCompile(`([a-zA-Z_]\w*)\s*(\{[^}]*\}|\()?`)
	check := func(expr string) {
		found := 0
		for _, hit := range name.FindAllStringSubmatch(aside.ReplaceAllString(expr, ""), -1) {
			if hit[2] != "(" && hit[1] != "or" {
				require.Regexp(t, "^"+regexp.QuoteMeta(matcher)+"[,}]", hit[2], "%s in %s", hit[1], expr)
				found++
			}
		}
		require.Positive(t, found, expr)
	}
	for file, d := range Dashboards() {
		chosen := d.Templating.List[1]
		require.Equal(t, "label_values(flashsale_build_info, namespace)", chosen.Query, file)
		require.Equal(t, "namespace", chosen.Name, file)
		require.True(t, chosen.Multi && chosen.IncludeAll && chosen.AllValue == ".*", file)
		for _, v := range d.Templating.List[2:] {
			of, _, found := strings.Cut(strings.TrimPrefix(v.Query, "label_values("), ", ")
			require.True(t, found, v.Query)
			check(of)
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				check(target.Expr)
			}
		}
	}
}

// Each dashboard links to all that have its tag, with the reader's choices.
func TestDashboardsLinkToEachOther(t *testing.T) {
	for file, d := range Dashboards() {
		require.Len(t, d.Links, 1, file)
		require.Equal(t, d.Tags, d.Links[0].Tags, file)
		require.True(t, d.Links[0].Type == "dashboards" && d.Links[0].IncludeVars && d.Links[0].KeepTime, file)
	}
}

// The provisioning files are YAML that names the folder of the dashboards, and a data source.
func TestProvisioning(t *testing.T) {
	read := func(name string) (document map[string]any) {
		text, err := os.ReadFile(filepath.Join("provisioning", name))
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(text, &document), name)
		require.Equal(t, 1, document["apiVersion"], name)
		return document
	}
	provider := read("dashboards/flashsale.yaml")["providers"].([]any)[0].(map[string]any)
	require.Equal(t, "file", provider["type"])
	require.Equal(t, "/etc/grafana/flashsale", provider["options"].(map[string]any)["path"])
	source := read("datasources/prometheus.yaml")["datasources"].([]any)[0].(map[string]any)
	require.Equal(t, "prometheus", source["type"])
}
