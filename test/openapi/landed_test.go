package openapi

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

var write = flag.Bool("write", false, "renew the landed documents, after the check that nothing unannounced breaks clients")

// oasdiffTool finds the changes between two OpenAPI documents that break a client.
const oasdiffTool = "github.com/oasdiff/oasdiff@v1.37.0"

// landedName returns where the document is kept as clients know it.
func landedName(name string) string {
	return filepath.Join("test", "openapi", "landed", filepath.Dir(name)+".json")
}

// breakage is one change that breaks a client.
type breakage struct{ ID, Text, Operation, Path string }

func (b breakage) String() string {
	return fmt.Sprintf("`%s %s`: %s (%s)", b.Operation, b.Path, b.Text, b.ID)
}

// breakages returns what breaks a client that knows the first document when the server has the second one.
func breakages(t *testing.T, before, after string) (found []breakage) {
	t.Helper()
	cmd := exec.Command(harness.GoTool(t, oasdiffTool), "breaking", before, after, "--format", "json",
		"--allow-external-refs=false")
	text, err := cmd.Output()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		t.Fatalf("oasdiff: %v\n%s", err, ended.Stderr)
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &found), "%s", text)
	return found
}

// unannounced returns the breakages that no line of the changes to come names: "**Breaking**" and the operation.
func unannounced(changelog string, found []breakage) (left []breakage) {
	_, changes, _ := strings.Cut(changelog, "## [Unreleased]")
	changes, _, _ = strings.Cut(changes, "\n## [")
	entries := strings.Split(strings.ReplaceAll(changes, "\n  ", " "), "\n")
	for _, b := range found {
		announced := false
		for _, entry := range entries {
			says := strings.Contains(entry, "**Breaking**") && strings.Contains(entry, "`"+b.Operation+" "+b.Path+"`")
			announced = announced || says
		}
		if !announced {
			left = append(left, b)
		}
	}
	return left
}

// TestNoUnannouncedBreak: a client of the last landed documents still works, or the change log says that it does not. The landed
// documents are those of the last change that renewed them, and each change renews them.
func TestNoUnannouncedBreak(t *testing.T) {
	root := harness.Root(t)
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	require.NoError(t, err)
	for _, name := range documents() {
		kept, present := filepath.Join(root, landedName(name)), filepath.Join(root, name)
		for _, b := range unannounced(string(changelog), breakages(t, kept, present)) {
			t.Errorf("%s: %s: a client breaks. Keep it, or say so in CHANGELOG.md: **Breaking** and the operation", name, b)
		}
		before, err := os.ReadFile(kept)
		require.NoError(t, err)
		after, err := os.ReadFile(present)
		require.NoError(t, err)
		switch {
		case string(before) == string(after) || t.Failed():
		case *write:
			require.NoError(t, os.WriteFile(kept, after, 0o644))
		default:
			t.Errorf("%s has changed: go test ./test/openapi -run TestNoUnannouncedBreak -write renews %s", name,
				landedName(name))
		}
	}
}

// TestBreaksAreFound: the check is on, and an announcement is read.
func TestBreaksAreFound(t *testing.T) {
	kept := filepath.Join(harness.Root(t), landedName(documents()[0]))
	text, err := os.ReadFile(kept)
	require.NoError(t, err)
	var document map[string]any
	require.NoError(t, json.Unmarshal(text, &document))
	paths, _ := document["paths"].(map[string]any)
	require.Contains(t, paths, "/v1/time")
	delete(paths, "/v1/time")
	text, err = json.Marshal(document)
	require.NoError(t, err)
	broken := filepath.Join(t.TempDir(), "broken.json")
	require.NoError(t, os.WriteFile(broken, text, 0o600))

	found := breakages(t, kept, broken)
	require.Len(t, found, 2, "GET and HEAD")
	require.Len(t, unannounced("## [Unreleased]\n\n- `GET /v1/time` is gone.\n", found), 2)
	require.Len(t, unannounced("## [Unreleased]\n\n- **Breaking**:\n  `GET /v1/time` is gone.\n\n## [1.0.0]\n"+
		"- **Breaking** `HEAD /v1/time`", found), 1)
	require.Empty(t, unannounced("## [Unreleased]\n\n- **Breaking**: `GET /v1/time` and `HEAD /v1/time` are gone.\n", found))
	require.Empty(t, breakages(t, broken, kept), "what is added breaks nobody")
}
