// Package deploy_test compares the files of this folder, which other programs read, with the list of settings.
package deploy_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/settings"
)

const exampleFile = "config.example.yaml"

var write = flag.Bool("write", false, "write "+exampleFile+" from the list of settings")

// The example is the list of settings in another form. The test writes it, so it is always up to date.
func TestExampleShowsEverySetting(t *testing.T) {
	want := renderExample()
	if *write {
		require.NoError(t, os.WriteFile(exampleFile, []byte(want), 0o644))
	}
	found, err := os.ReadFile(exampleFile)
	require.NoError(t, err)
	require.Equal(t, want, string(found), "write it anew with: go test ./deploy -write")
}

// The unchanged example is a valid file and changes no setting.
func TestExampleLoadsAsTheDefaults(t *testing.T) {
	load := func(args ...string) []settings.Value {
		source, rest, err := settings.FromCommandLine(args, nil)
		require.NoError(t, err)
		require.Empty(t, rest)
		loaded, err := source.Load("version")
		require.NoError(t, err)
		require.Empty(t, loaded.Warnings())
		return loaded.Values()
	}
	defaults, example := load(), load("--config", exampleFile)
	require.Len(t, example, len(settings.All()))
	for i, value := range example {
		require.Equal(t, defaults[i].Text, value.Text, value.Setting.Name)
		if value.Setting.Default != "" {
			require.Contains(t, value.Origin, exampleFile, "%s is set in the file", value.Setting.Name)
		}
	}
}

const exampleHead = "" +
	`# Every setting of flashsale with its default: flashsale --config FILE. A flag wins over the environment, the environment
# over this file, this file over the default. A key without a value is not set, and an unknown key is an error.
# A secret may come from the file that the key with _file names; give one of the two. flashsale config shows every value
# and where it came from.
`

// renderExample writes the list of settings as the example file, section by section.
func renderExample() string {
	var text strings.Builder
	text.WriteString(exampleHead)
	section := ""
	for _, s := range inSections(settings.All()) {
		name, member, inSection := strings.Cut(s.Name, ".")
		indent := "  "
		if !inSection {
			member, indent = name, ""
		}
		if inSection && name != section {
			section = name
			fmt.Fprintf(&text, "\n%s:\n", section)
		} else {
			text.WriteString("\n")
		}
		for _, line := range describe(s) {
			fmt.Fprintf(&text, "%s# %s\n", indent, line)
		}
		fmt.Fprintf(&text, "%s\n", strings.TrimRight(fmt.Sprintf("%s%s: %s", indent, member, yamlValue(s)), " "))
		if s.Secret() {
			fmt.Fprintf(&text, "%s%s_file:\n", indent, member)
		}
	}
	return text.String()
}

// inSections groups settings by section, in the order in which the sections first appear; settings without a section
// are first.
func inSections(list []settings.Setting) []settings.Setting {
	order := map[string]int{}
	rank := func(s settings.Setting) int {
		section, _, inSection := strings.Cut(s.Name, ".")
		if !inSection {
			return 0
		}
		if order[section] == 0 {
			order[section] = len(order) + 1
		}
		return order[section]
	}
	for _, s := range list {
		rank(s)
	}
	slices.SortStableFunc(list, func(a, b settings.Setting) int { return rank(a) - rank(b) })
	return list
}

// describe describes a setting: purpose, form and range, default, the commands that read it, the other spellings.
func describe(s settings.Setting) []string {
	form := s.Type()
	for _, more := range []string{s.Unit, s.Range()} {
		if more != "" && more != form && (more == s.Range() || !strings.Contains(s.Range(), more)) {
			form += ", " + more
		}
	}
	standard := "no default"
	if s.Default != "" {
		standard = "default " + s.Default
	}
	if len(s.Needed) > 0 {
		standard += ", needed by " + strings.Join(s.Needed, ", ")
	}
	lines := []string{s.Doc, form + "; " + standard}
	if len(lines[1]) > 120 {
		lines = []string{s.Doc, form + ";", standard}
	}
	names, readers := s.Env()+", "+s.Flag()+";", "read by "+strings.Join(s.Used, ", ")
	if len(names)+1+len(readers) > 120 {
		return append(lines, names, readers)
	}
	return append(lines, names+" "+readers)
}

// yamlValue writes the default as YAML; a list in the list form of YAML.
func yamlValue(s settings.Setting) string {
	if s.Default == "" || (s.Type() != "list" && s.Type() != "networks") {
		return s.Default
	}
	items := strings.Split(s.Default, ",")
	for i, item := range items {
		items[i] = `"` + item + `"`
	}
	return "[" + strings.Join(items, ", ") + "]"
}
