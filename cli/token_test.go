package cli

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

func TestTokens(t *testing.T) {
	got := command(t, []string{testSecret}, "", "token", "--count", "3", "--prefix", "b-")
	require.Equal(t, ExitDone, got.code)
	require.Len(t, strings.Fields(got.stdout), 3)

	got = command(t, []string{testSecret}, "", "token", "--buyer", "alice", "--ttl", "1h")
	require.Equal(t, ExitDone, got.code)
	require.Len(t, strings.Split(got.stdout, "."), 3)

	for _, words := range [][]string{{"token", "--buyer", "alice"},
		{"load", "targets", "--sale", "s", "--sku", "a", "--buyers", "1"}} {
		short := []string{testSecret, "FLASHSALE_AUTH_MAX_LIFETIME=10m"}
		got = command(t, short, "", append(words, "--ttl", "11m")...)
		require.Equal(t, ExitUsage, got.code, words)
		require.Contains(t, got.stderr, "auth.max_lifetime, which is 10m0s")
		got = command(t, short, "", words...)
		require.Equal(t, ExitDone, got.code, got.stderr)
		require.WithinDuration(t, time.Now().Add(10*time.Minute), expiryIn(t, got.stdout), time.Minute,
			"a default that the gateway takes")
		require.Equal(t, ExitDone, command(t, short, "", append(words, "--ttl", "10m")...).code)
		require.Equal(t, ExitDone, command(t, []string{testSecret}, "", append(words, "--ttl", "24h")...).code)
	}
	got = command(t, []string{testSecret}, "", "token", "--buyer", "no spaces please")
	require.Equal(t, ExitUsage, got.code)
	got = command(t, nil, "", "token", "--buyer", "alice")
	require.Equal(t, ExitUsage, got.code)
	require.Contains(t, got.stderr, "auth.hs256_secret")
}

// expiryIn returns when the first token in a text expires.
func expiryIn(t *testing.T, text string) time.Time {
	t.Helper()
	var claims jwt.RegisteredClaims
	_, _, err := jwt.NewParser().ParseUnverified(regexp.MustCompile(`eyJ[\w.-]+`).FindString(text), &claims)
	require.NoError(t, err, text)
	return claims.ExpiresAt.Time
}
