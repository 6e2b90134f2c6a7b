//go:build !nodev

package cli

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A port that another process has, of every process that listens.
func TestEveryProcessNamesTheTakenPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	taken := listener.Addr().String()
	for process, settings := range map[string][]string{
		"gateway": {"gateway.listen", "admin.listen"}, "settle": {"settle.listen"},
		"dev": {"gateway.listen", "admin.listen", "settle.listen"},
	} {
		for _, setting := range settings {
			flag := "--" + strings.ReplaceAll(setting, ".", "-")
			words := append(append([]string{process}, anyPort...), flag, taken)
			got := command(t, []string{testToken, testSecret, testDSN}, "", words...)
			require.Equal(t, ExitUsage, got.code, "%s %s: %s", process, setting, got.stderr)
			require.Contains(t, got.stderr, setting+": listen tcp "+taken, process)
			require.Contains(t, got.stderr, "end the process that listens there, or set another address", process)
		}
	}
}
