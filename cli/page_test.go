package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func rushInto(t *testing.T, status int, code, file string) output {
	t.Helper()
	environ := append(operatorsThatAnswer(t, status, code, "Nothing is left"), testSecret)
	_, url, _ := strings.Cut(environ[2], "=")
	return command(t, environ, "", "load", "rush", "--url", url, "--sale", "s", "--sku", "a", "--buyers", "3", "--rate", "1000",
		"--report", file)
}

// The report replaces what the file contained, and says that the books could not be read.
func TestRushWritesItsReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rush.html")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("old", 100_000)), 0o600))
	got := rushInto(t, 409, "sold_out", file)
	require.Equal(t, ExitDone, got.code, got.stderr)
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(page), "<!DOCTYPE html>"))
	require.True(t, strings.HasSuffix(strings.TrimSpace(string(page)), "</html>"))
	require.NotContains(t, string(page), "old<")
	require.Contains(t, string(page), "Rush on sale s")
	require.Contains(t, string(page), "could not be read: sold_out (409)")
	require.Contains(t, got.stdout, "3 presses", "the report for people is printed all the same")
}

// A file that cannot be written is told before the first press.
func TestAReportThatCannotBeWritten(t *testing.T) {
	for _, file := range []string{t.TempDir(), filepath.Join(t.TempDir(), "absent", "rush.html")} {
		got := rushInto(t, 409, "sold_out", file)
		require.Equal(t, ExitUsage, got.code)
		require.Contains(t, got.stderr, "--report: open "+file)
		require.Empty(t, got.stdout, "nothing was pressed")
	}
}

// A rush that does not begin leaves no empty file, and an old one as it was.
func TestARushThatDoesNotBeginWritesNothing(t *testing.T) {
	folder := t.TempDir()
	fresh, old := filepath.Join(folder, "fresh.html"), filepath.Join(folder, "old.html")
	require.NoError(t, os.WriteFile(old, []byte("kept"), 0o600))
	for _, file := range []string{fresh, old} {
		got := command(t, []string{testSecret}, "", "load", "rush", "--sale", "s", "--sku", "a", "--buyers", "3", "--rate=-1",
			"--report", file)
		require.Equal(t, ExitFailed, got.code, got.stderr)
	}
	require.NoFileExists(t, fresh)
	kept, err := os.ReadFile(old)
	require.NoError(t, err)
	require.Equal(t, "kept", string(kept))
}
