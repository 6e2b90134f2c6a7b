package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"flashsale/test/harness"
)

// anyText are the places of the values that take any text, because the templates write them by toYaml.
var anyText = []string{"gateway.annotations.OTEL_TEXT", "serviceAccount.annotations.OTEL_TEXT", "settle.annotations.OTEL_TEXT"}

// anyObject are the places that take any object, for the same reason. Helm gives global to charts of other charts.
var anyObject = []string{"global", "networkPolicy.buyersFrom.[]", "networkPolicy.operatorsFrom.[]",
	"networkPolicy.stores.[].to.[]", "tolerations.[]"}

// attacks are texts that add a member to an object of YAML where a template does not quote them.
var attacks = []string{"x\ninjected: true", "x, injected: true", "x}\ninjected: true\n#", `x", injected: true, other: "x`,
	"x'\ninjected: true\nother: 'x", "x\u0085injected: true", "x: {injected: true}"}

// place is where the schema takes a text: the names on the way, [] for an element of a list.
type place []string

func (p place) String() string { return strings.Join(p, ".") }

// in returns a place in another.
func (p place) in(name string) place { return append(slices.Clone(p), name) }

// walk calls see with every schema of the values and its place. The members of a map have a name that each of them takes.
func walk(schema object, at place, see func(at place, schema object)) {
	see(at, schema)
	members, _ := schema["properties"].(object)
	for name, member := range members {
		walk(member.(object), at.in(name), see)
	}
	if items, is := schema["items"].(object); is {
		walk(items, at.in("[]"), see)
	}
	patterns, _ := schema["patternProperties"].(object)
	for _, member := range patterns {
		walk(member.(object), at.in("OTEL_TEXT"), see)
	}
}

// valuesSchema returns the schema of the values, each reference to a definition replaced by it.
func valuesSchema(t *testing.T) object {
	t.Helper()
	var schema object
	require.NoError(t, json.Unmarshal([]byte(read(t, chartSchema)), &schema))
	definitions := at[object](t, schema, "definitions")
	return resolved(t, definitions, schema).(object)
}

func resolved(t *testing.T, definitions object, in any) any {
	t.Helper()
	switch in := in.(type) {
	case object:
		if reference, is := in["$ref"].(string); is {
			return at[object](t, definitions, strings.TrimPrefix(reference, "#/definitions/"))
		}
		for name, member := range in {
			in[name] = resolved(t, definitions, member)
		}
	case []any:
		for i, one := range in {
			in[i] = resolved(t, definitions, one)
		}
	}
	return in
}

// takesText reports whether a schema takes a text.
func takesText(schema object) bool {
	return strings.Contains(fmt.Sprint(schema["type"]), "string") || schema["pattern"] != nil || schema["enum"] != nil
}

// Every text of the values has a form, of which no attack is one, and every object has known members.
func TestEveryTextOfTheValuesHasAForm(t *testing.T) {
	formless := []string{}
	walk(valuesSchema(t), nil, func(at place, schema object) {
		pattern, has := schema["pattern"].(string)
		switch {
		case has:
			form := regexp.MustCompile(pattern)
			require.False(t, form.MatchString(attacks[0]), "%s: %s", at, pattern)
		case takesText(schema) && schema["enum"] == nil:
			formless = append(formless, at.String())
		case schema["type"] == "object" && schema["additionalProperties"] == nil:
			formless = append(formless, at.String())
		}
	})
	require.ElementsMatch(t, slices.Concat(anyText, anyObject), formless)
}

// samples are elements of lists of objects, in which one member becomes a text of a test. %d makes names differ.
var samples = map[string]string{
	"files":            "{name: extra-%d, secret: extra}",
	"schedule":         "{name: extra-%d, timezone: UTC, start: '0 1 * * *', end: '0 2 * * *', gateway: 3}",
	"canary.steps":     "{weight: 10, pause: 5m} # %d",
	"route.parentRefs": "{name: extra-%d}",
}

// put returns what becomes of a member of the values when the text is at a place below it, and the place as the schema's
// complaints have it.
func put(t *testing.T, here any, at, below place, text string) (any, string) {
	t.Helper()
	if len(below) == 0 {
		return text, ""
	}
	next := at.in(below[0])
	if below[0] != "[]" {
		members, _ := here.(object)
		if members == nil {
			members = object{}
		}
		member, where := put(t, members[below[0]], next, below[1:], text)
		members[below[0]] = member
		return members, "/" + below[0] + where
	}
	list, _ := here.([]any)
	var element any
	if sample, has := samples[at.String()]; has {
		require.NoError(t, yaml.Unmarshal([]byte(fmt.Sprintf(sample, len(list))), &element))
		if below[1] == "configMap" {
			delete(element.(object), "secret")
		}
	}
	element, where := put(t, element, next, below[1:], text)
	return append(list, element), fmt.Sprintf("/%d%s", len(list), where)
}

// renderTexts renders everything with a text at places of the values, and returns these places as the schema's complaints
// have them.
func renderTexts(t *testing.T, places []place, text string, flags []string) (harness.Result, map[string]place) {
	t.Helper()
	var values any
	require.NoError(t, yaml.Unmarshal([]byte(everything+`image: {tag: "1.0"}`), &values))
	found := map[string]place{}
	for _, one := range places {
		var where string
		values, where = put(t, values, nil, one, text)
		found[where] = one
	}
	encoded, err := json.Marshal(values)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "values.json")
	require.NoError(t, os.WriteFile(file, encoded, 0o600))
	flags = append(flags, "--set", "metrics.serviceMonitor=true,metrics.rules=true", "--values", file)
	return render(t, "minimal", flags...), found
}

// complaint is where the schema refuses a value.
var complaint = regexp.MustCompile(`at '(/[^']*)'`)

// takenTexts renders everything with a text wherever the chart takes it, and returns these places.
func takenTexts(t *testing.T, text string, flags ...string) (manifests string, taken []string) {
	t.Helper()
	places := []place{}
	walk(valuesSchema(t), nil, func(at place, schema object) {
		if takesText(schema) && schema["enum"] == nil {
			places = append(places, at)
		}
	})
	require.GreaterOrEqual(t, len(places), 80, "places of texts")
	result, found := renderTexts(t, places, text, flags)
	for _, hit := range complaint.FindAllStringSubmatch(result.Stderr, -1) {
		delete(found, hit[1])
	}
	places = places[:0]
	for _, one := range found {
		places = append(places, one)
	}
	// A template names the key that it refuses, one at a time.
	for result.Code != 0 {
		result, _ = renderTexts(t, places, text, flags)
		if result.Code != 0 {
			before := len(places)
			places = slices.DeleteFunc(places, func(p place) bool {
				return strings.Contains(result.Stderr, p.String()+" ") ||
					strings.Contains(result.Stderr, p.String()+":")
			})
			require.Less(t, len(places), before, "%s", result.Stderr)
		}
	}
	for _, one := range places {
		taken = append(taken, one.String())
	}
	return result.Stdout, taken
}

// membersOf calls see with the name of every member of an object, and of the objects in it.
func membersOf(from any, see func(name string)) {
	switch from := from.(type) {
	case object:
		for name, member := range from {
			see(name)
			membersOf(member, see)
		}
	case []any:
		for _, one := range from {
			membersOf(one, see)
		}
	}
}

// A text of the values stays a text: it adds no member to any object, or the chart refuses it.
func TestTextsAddNoMember(t *testing.T) {
	t.Parallel()
	for _, attack := range attacks {
		text, taken := takenTexts(t, attack)
		requireNotInjected(t, text, attack)
		require.Subset(t, taken, anyText)
	}
}

func requireNotInjected(t *testing.T, text, attack string) {
	t.Helper()
	for key, one := range manifests(t, text) {
		membersOf(one, func(name string) { require.NotEqual(t, "injected", name, "%s: %q", key, attack) })
	}
}

// The templates quote what they write, also where the schema would have refused it.
func TestTemplatesQuoteTexts(t *testing.T) {
	t.Parallel()
	for _, attack := range attacks {
		text, taken := takenTexts(t, attack, "--skip-schema-validation")
		requireNotInjected(t, text, attack)
		require.Subset(t, taken, []string{"priorityClassName", "serviceAccount.name", "secrets.name", "image.pullSecrets.[]",
			"schedule.[].timezone", "metrics.prometheus", "route.hostnames.[]"})
	}
}

// A text that looks like a number, a truth or nothing stays a text, wherever the chart takes it.
func TestTextsThatLookLikeNumbersStayTexts(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, text := range []string{"123", "true", "null", "on", "1e3", "0x1f", "12:30:45"} {
		rendered, taken := takenTexts(t, text)
		all.WriteString(rendered)
		require.Subset(t, taken, anyText)
	}
	wrong, compared := conform(t, kubernetesVersions[1], writeSchemas(t), all.String())
	require.Empty(t, wrong)
	require.Greater(t, compared, 100)
}

// release renders everything for a release and a namespace.
func release(t *testing.T, name, namespace, version string) harness.Result {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte(everything), 0o600))
	return harness.Run(t, "", harness.GoTool(t, helm), nil, "template", name, "chart", "--namespace", namespace, "--values", file,
		"--kube-version", version, "--set", "metrics.serviceMonitor=true,metrics.rules=true")
}

// Names of a release and a namespace stay texts too, and those of objects end with a letter or a digit.
func TestReleasesAndNamespacesMayLookLikeNumbers(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	name := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	for _, one := range []string{"true", "null", "on", "123", "1e3", strings.Repeat("a", 37) + "---flashsale"} {
		result := release(t, one, "123", "1.37.0")
		require.Zero(t, result.Code, "%s: %s", one, result.Stderr)
		for key := range manifests(t, result.Stdout) {
			require.Regexp(t, name, strings.Fields(key)[1], one)
		}
		all.WriteString(result.Stdout)
	}
	wrong, compared := conform(t, kubernetesVersions[1], writeSchemas(t), all.String())
	require.Empty(t, wrong)
	require.Greater(t, compared, 100)
}

// Names that Services cannot have are refused with a sentence.
func TestChartRefusesNamesThatServicesCannotHave(t *testing.T) {
	for _, one := range []struct{ name, namespace, version, message string }{
		{"shop.sale", "shop", "1.37.0", "the release is named shop.sale: choose a name without a dot"},
		{"1x", "shop", "1.36.0", "the release is named 1x: choose a name that begins with a letter"},
		{"x", `shop"} or vector(1`, "1.37.0", "is none: its name has up to 63"},
	} {
		result := release(t, one.name, one.namespace, one.version)
		require.NotZero(t, result.Code, one.name)
		require.Contains(t, result.Stderr, one.message)
	}
}
