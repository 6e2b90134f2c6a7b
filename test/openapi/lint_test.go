package openapi

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// documents returns the paths of both documents, from the module's folder.
func documents() []string { return []string{"gateway/openapi.json", "admin/openapi.json"} }

// problem is what a linter found, and where.
type problem struct{ rule, place, message string }

func (p problem) String() string { return p.place + ": " + p.rule + ": " + p.message }

// redocly returns every error and warning that redocly finds in one document: of several it prints as many reports.
func redocly(t *testing.T, tools *harness.NodeTools, name string) []problem {
	t.Helper()
	text, code := tools.Run(t, "redocly", "lint", "--config", "test/openapi/redocly.yaml", "--format", "json", name)
	var report struct {
		Totals   struct{ Errors int }
		Problems []struct {
			RuleID, Message string
			Location        []struct {
				Pointer string
				Source  struct{ Ref string }
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &report), "%s", text)
	require.Equal(t, report.Totals.Errors > 0, code != 0)
	var found []problem
	for _, p := range report.Problems {
		at := ""
		if len(p.Location) > 0 {
			at = p.Location[0].Source.Ref + p.Location[0].Pointer
		}
		found = append(found, problem{p.RuleID, at, p.Message})
	}
	return found
}

// spectral returns everything that spectral finds, hints included.
func spectral(t *testing.T, tools *harness.NodeTools, name string) []problem {
	t.Helper()
	text, code := tools.Run(t, "spectral", "lint", "--ruleset", "test/openapi/spectral.yaml", "--format", "json",
		"--fail-severity", "hint", "--quiet", name)
	var report []struct {
		Code, Message, Source string
		Path                  []any
	}
	require.NoError(t, json.Unmarshal([]byte(text), &report), "%s", text)
	require.Equal(t, len(report) > 0, code != 0)
	var found []problem
	for _, p := range report {
		found = append(found, problem{p.Code, fmt.Sprint(p.Source, " ", p.Path), p.Message})
	}
	return found
}

// TestDocumentsPassTheLinters: no error and no warning of either.
func TestDocumentsPassTheLinters(t *testing.T) {
	tools := harness.Node(t, ".")
	for _, name := range documents() {
		assert.Empty(t, redocly(t, tools, name))
		assert.Empty(t, spectral(t, tools, name))
	}
}

// TestLintersFindWhatIsWrong: the rules are on. Each linter names what a document lacks.
func TestLintersFindWhatIsWrong(t *testing.T) {
	tools := harness.Node(t, ".")
	text, err := os.ReadFile(filepath.Join(harness.Root(t), documents()[0]))
	require.NoError(t, err)
	var document map[string]any
	require.NoError(t, json.Unmarshal(text, &document))
	delete(document, "servers")
	delete(document["info"].(map[string]any), "license")
	press := document["paths"].(map[string]any)["/v1/sales/{sale}/items/{sku}/orders"].(map[string]any)["post"].(map[string]any)
	delete(press, "tags")
	text, err = json.Marshal(document)
	require.NoError(t, err)
	broken := filepath.Join(t.TempDir(), "openapi.json")
	require.NoError(t, os.WriteFile(broken, text, 0o600))
	rules := func(found []problem) (names []string) {
		for _, p := range found {
			names = append(names, p.rule)
		}
		return names
	}
	assert.ElementsMatch(t, []string{"no-empty-servers", "info-license"}, rules(redocly(t, tools, broken)))
	assert.ElementsMatch(t, []string{"oas3-api-servers", "operation-tags"}, rules(spectral(t, tools, broken)))
}

var switchedOff = regexp.MustCompile(`^  ([a-z0-9-]+): (off|"off"|false)$`)

// TestEveryRuleThatIsOffHasAReason: the line above it is a comment, and no rule is only weakened.
func TestEveryRuleThatIsOffHasAReason(t *testing.T) {
	for _, name := range []string{"redocly.yaml", "spectral.yaml"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		_, rules, _ := strings.Cut(string(text), "\nrules:\n")
		above := ""
		for line := range strings.Lines(rules) {
			line = strings.TrimSuffix(line, "\n")
			if !strings.HasPrefix(line, "  # ") {
				assert.Regexp(t, switchedOff, line, name)
				assert.Contains(t, above, "  # ", "%s: no reason above %s", name, line)
			}
			above = line
		}
	}
}
