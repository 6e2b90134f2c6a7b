package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOperatorsCommandsWithoutAListener(t *testing.T) {
	environ := []string{testToken, testDSN, "FLASHSALE_ADMIN_URL=http://" + closedPort(t)}
	got := command(t, environ, "", "audit")
	require.Equal(t, ExitUnreadable, got.code, got.stderr)
	got = command(t, environ, "", "sale", "list")
	require.Equal(t, ExitUnreadable, got.code, got.stderr)
	got = command(t, environ, "", "sale", "open", "demo")
	require.Equal(t, ExitFailed, got.code, got.stderr)
	got = command(t, environ, "", "sale", "create", "demo", "-f", t.TempDir()+"/none.yaml")
	require.Equal(t, ExitUnreadable, got.code, got.stderr)
	require.Contains(t, got.stderr, "none.yaml")
	for _, words := range [][]string{{"sale", "buyers", "demo", "-f"}, {"rules", "put", "-f"},
		{"load", "targets", "--sale", "s", "--sku", "a", "--tokens"}} {
		got = command(t, environ, "", append(words, t.TempDir()+"/none")...)
		require.Equal(t, ExitUnreadable, got.code, "%v: %s", words, got.stderr)
	}
	got = command(t, environ, "", "load", "verdict", "demo", "--wait", "1ms")
	require.Equal(t, ExitUnreadable, got.code, got.stderr)
}
