package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersionAndConfig(t *testing.T) {
	got := command(t, nil, "", "version")
	require.Equal(t, ExitDone, got.code)
	require.Regexp(t, `^flashsale \S+, commit \S+, go1\.\S+\n$`, got.stdout)
	require.Equal(t, got, command(t, nil, "", "--version"))
	require.Contains(t, command(t, nil, "", "--help").stdout, "--config=FILE")

	got = command(t, []string{testToken, "FLASHSALE_NO_SUCH_THING=1"}, "", "config", "--gateway-ack-timeout=2s")
	require.Equal(t, ExitDone, got.code)
	require.NotContains(t, got.stdout+got.stderr, "operators-token-of-a-test")
	require.Regexp(t, `gateway\.ack_timeout +2s +flag --gateway-ack-timeout`, got.stdout)
	require.Contains(t, got.stderr, "FLASHSALE_NO_SUCH_THING")
}
