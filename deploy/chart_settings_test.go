package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"flashsale/settings"
	"flashsale/test/harness"
)

const (
	chartSettings = "chart/files/settings.json"
	chartSchema   = "chart/values.schema.json"
)

// chartProcesses are the commands that pods of the chart run.
var chartProcesses = []string{"gateway", "settle", "migrate", "sale"}

// chartSetting is what the templates need to know of a setting.
type chartSetting struct {
	Name    string   `json:"name"`
	Env     string   `json:"env"`
	Default string   `json:"default"`
	Secret  bool     `json:"secret"`
	Used    []string `json:"used"`
	Needed  []string `json:"needed"`
}

func indented(t *testing.T, value any) string {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(value))
	return text.String()
}

// kept compares a file with what the list of settings makes of it, and writes it when asked to.
func kept(t *testing.T, name, want string) {
	t.Helper()
	if *write {
		require.NoError(t, os.WriteFile(name, []byte(want), 0o644))
	}
	require.Equal(t, want, read(t, name), "write it anew with: go test ./deploy -write")
}

// The chart knows every setting and which of its processes reads it.
func TestChartKnowsEverySetting(t *testing.T) {
	list := []chartSetting{}
	for _, s := range settings.All() {
		one := chartSetting{Name: s.Name, Env: s.Env(), Default: s.Default, Secret: s.Secret(),
			Used: []string{}, Needed: []string{}}
		for _, process := range chartProcesses {
			if s.ReadBy(process) {
				one.Used = append(one.Used, process)
			}
			if s.NeededBy(process) {
				one.Needed = append(one.Needed, process)
			}
		}
		require.NotEmpty(t, one.Used, "no process of the chart reads %s", s.Name)
		list = append(list, one)
	}
	kept(t, chartSettings, indented(t, object{"settings": list}))
}

// The schema of the values has every setting that is no secret, with its range, and every secret as a key.
func TestChartSchemaFollowsTheSettings(t *testing.T) {
	var schema object
	require.NoError(t, json.Unmarshal([]byte(read(t, chartSchema)), &schema))
	sections, keys := object{}, []any{}
	for _, s := range settings.All() {
		if s.Secret() {
			keys = append(keys, s.Name)
			continue
		}
		at, member := sections, s.Name
		if section, name, inSection := strings.Cut(s.Name, "."); inSection {
			if sections[section] == nil {
				sections[section] = strict(object{})
			}
			at, member = sections[section].(object)["properties"].(object), name
		}
		at[member] = schemaOf(t, s)
	}
	properties := at[object](t, schema, "properties")
	properties["settings"] = strict(sections)
	at[object](t, properties, "secrets", "properties", "keys", "items")["enum"] = keys
	var values object
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "chart/values.yaml")), &values))
	requireDefaults(t, schema, values)
	kept(t, chartSchema, indented(t, schema))
}

// requireDefaults lets an object of the schema require the members that have a default in the values: Helm deletes one that is
// null, and the templates would read nothing. They take an empty one for nothing, and a process without a limit or a request, and
// a setting has the engine's default.
func requireDefaults(t *testing.T, schema, values object) {
	t.Helper()
	required := []string{}
	for name, value := range values {
		if !slices.Contains([]string{"", "[]", "map[]"}, fmt.Sprint(value)) {
			required = append(required, name)
		}
		if member, is := value.(object); is && len(member) > 0 && name != "settings" && name != "resources" {
			requireDefaults(t, at[object](t, schema, "properties", name), member)
		}
	}
	slices.Sort(required)
	schema["required"] = required
}

// strict is an object of the schema that takes no other members.
func strict(properties object) object {
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

var (
	numbers = regexp.MustCompile(`^([0-9]+) to ([0-9]+)$`)
	choices = regexp.MustCompile(`^one of (.+) and (\S+)$`)
)

// schemaOf returns the schema of a setting. The engine checks what a schema cannot say, such as bounds of durations.
func schemaOf(t *testing.T, s settings.Setting) object {
	t.Helper()
	form := object{"description": s.Doc}
	switch s.Type() {
	case "number":
		form["type"] = "integer"
		bounds := numbers.FindStringSubmatch(s.Range())
		require.NotNil(t, bounds, "%s: %s", s.Name, s.Range())
		for i, name := range []string{"minimum", "maximum"} {
			bound, err := strconv.Atoi(bounds[i+1])
			require.NoError(t, err)
			form[name] = bound
		}
	case "duration":
		form["type"], form["pattern"] = "string", `^([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+$`
	case "true or false":
		form["type"] = "boolean"
	case "list":
		require.NotEmpty(t, elementPatterns[s.Unit], "%s: %s", s.Name, s.Unit)
		form["type"], form["items"] = "array", object{"type": "string", "pattern": elementPatterns[s.Unit]}
	case "networks":
		form["type"], form["items"] = "array", object{"type": "string", "pattern": networkPattern}
	case "text":
		form["type"] = "string"
		if hit := choices.FindStringSubmatch(s.Range()); hit != nil {
			allowed := []any{}
			for _, choice := range append(strings.Split(hit[1], ", "), hit[2]) {
				allowed = append(allowed, choice)
			}
			form["enum"] = allowed
		} else {
			require.NotEmpty(t, textPatterns[s.Unit], "%s: %s", s.Name, s.Unit)
			form["pattern"] = textPatterns[s.Unit]
		}
		if s.Name == "namespace" {
			form["pattern"] = namespacePattern
		}
	default:
		require.Fail(t, "a type without a schema", "%s: %s", s.Name, s.Type())
	}
	return form
}

// Another version of the chart leaves the pods as they are.
func TestChartVersionRestartsNothing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "chart")
	require.NoError(t, os.CopyFS(folder, os.DirFS("chart")))
	about := filepath.Join(folder, "Chart.yaml")
	other := strings.Replace(read(t, about), "\nversion: 0.1.0\n", "\nversion: 9.9.9\n", 1)
	require.NoError(t, os.WriteFile(about, []byte(other), 0o600))
	for _, set := range valueSets {
		result := harness.Run(t, "", harness.GoTool(t, helm), nil, "template", "flashsale", folder, "--namespace", "shop",
			"--values", filepath.Join("testdata", "chart", set+".yaml"))
		require.Zero(t, result.Code, "%s", result.Stderr)
		require.Contains(t, result.Stdout, "helm.sh/chart: flashsale-9.9.9", "the objects have it")
		before, after := podTemplates(t, manifests(t, rendered(t, set))), podTemplates(t, manifests(t, result.Stdout))
		require.GreaterOrEqual(t, len(before), 4, "gateway, settle, migrate, guard")
		require.Equal(t, before, after, set)
	}
}

// podTemplates returns what the pods of a rendered chart are made of, labels and all.
func podTemplates(t *testing.T, all map[string]object) map[string]object {
	t.Helper()
	templates := map[string]object{}
	for key, one := range all {
		switch one["kind"] {
		case "Deployment", "Rollout", "Job":
			templates[key] = at[object](t, one, "spec", "template")
		}
		if key == "AnalysisTemplate flashsale-armed" {
			templates[key] = at[object](t, one, "spec", "metrics", 0, "provider", "job", "spec", "template")
		}
	}
	return templates
}
