package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An unknown sale has no verdict, and waiting does not change that; the command fails at once.
func TestVerdictOfAnUnknownSale(t *testing.T) {
	begin := time.Now()
	got := command(t, operatorsThatAnswer(t, 404, "sale_not_found", "There is no such sale"), "",
		"load", "verdict", "nope", "--wait", "1m")
	require.Equal(t, ExitFailed, got.code, got.stderr)
	require.Contains(t, got.stderr, "sale nope")
	require.Contains(t, got.stderr, "sale_not_found (404): There is no such sale")
	require.Empty(t, got.stdout)
	got = command(t, operatorsThatAnswer(t, 401, "unauthorized", "The token is not the operators'"), "",
		"load", "verdict", "s", "--wait", "1m")
	require.Equal(t, ExitUnreadable, got.code, got.stderr)
	require.Contains(t, got.stderr, "unauthorized (401)")
	require.Less(t, time.Since(begin), 30*time.Second)
}
