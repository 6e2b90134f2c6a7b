package chaos

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/bugs"
	"flashsale/test/harness"
)

var builds = regexp.MustCompile(`(?m)^.*go build.*$`)

// TestShippedBinaryHasNoFaults: the shipped binary has neither a crash point nor a seeded bug, and reads no variable for
// one. The test also finds all of them in the binary that is built with them.
func TestShippedBinaryHasNoFaults(t *testing.T) {
	root := harness.Root(t)
	for _, recipe := range []string{"Makefile", "deploy/Dockerfile"} {
		text, err := os.ReadFile(filepath.Join(root, recipe))
		require.NoError(t, err)
		lines := builds.FindAllString(string(text), -1)
		require.NotEmpty(t, lines, recipe)
		for _, line := range lines {
			// The production image is built without the embedded engines, by a tag that adds nothing.
			require.NotContains(t, strings.Replace(line, " -tags nodev ", " ", 1), "-tags", recipe)
		}
	}
	overlay, err := bugs.Overlay(root, t.TempDir(), bugs.Bugs())
	require.NoError(t, err)
	words := append(bugs.Names(), "FLASHSALE_CRASH_POINT", "FLASHSALE_CRASH_TIME", "FLASHSALE_BUG", "killed at crash point")
	points, err := Points(root)
	require.NoError(t, err)
	for _, p := range points {
		words = append(words, p.Name)
	}
	without := content(t, harness.BinaryOf(t, harness.Build{Args: []string{"-ldflags", "-s -w"}}))
	everything := harness.Build{Args: []string{"-tags", "faults", "-ldflags", "-s -w"}, Overlay: overlay}
	with := content(t, harness.BinaryOf(t, everything))
	for _, word := range words {
		assert.False(t, strings.Contains(without, word), "%q is in the binary that is shipped", word)
		assert.True(t, strings.Contains(with, word), "%q is not in the binary with the points and the bugs", word)
	}
}

func content(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}
