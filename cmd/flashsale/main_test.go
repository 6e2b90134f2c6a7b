package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/cli"
	"flashsale/settings"
)

// output is the result of one command line.
type output struct {
	code           int
	stdout, stderr string
}

func command(t *testing.T, environ []string, args ...string) output {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Run(t.Context(), &commands{}, args, environ, cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return output{code, stdout.String(), stderr.String()}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	got := command(t, nil, "--help")
	require.Equal(t, cli.ExitDone, got.code)
	for _, name := range []string{"dev", "gateway", "settle", "migrate", "sale create", "sale buyers", "sale preload",
		"sale open", "sale pause", "sale resume", "sale close", "sale show", "sale list", "sale armed", "top",
		"rules get", "rules put",
		"audit",
		"doctor", "token", "load rush", "load targets", "load verdict", "rehearse", "orders list", "orders show",
		"orders cancel", "orders extend", "deadletter list", "deadletter replay",
		"deadletter refuse", "probe", "config", "version"} {
		require.Contains(t, got.stdout, name)
	}
}

// The command line without a command prints the help.
func TestBareNamePrintsTheHelp(t *testing.T) {
	bare, asked := command(t, nil), command(t, nil, "--help")
	require.Equal(t, cli.ExitDone, bare.code)
	require.Equal(t, asked, bare)
	require.Empty(t, bare.stderr)
	require.Equal(t, bare.stdout, command(t, nil, "--namespace", "other").stdout, "also beside a setting")
}

// The help of a command lists exactly the settings that it reads, with their environment variables.
func TestHelpListsTheSettingsOfACommand(t *testing.T) {
	for name, words := range map[string][]string{"gateway": {"gateway"}, "settle": {"settle"}, "dev": {"dev"},
		"migrate": {"migrate"}, "audit": {"audit"}, "doctor": {"doctor"},
		"sale":         {"sale", "create"},
		"load verdict": {"load", "verdict"}} {
		got := command(t, nil, append(words, "--help")...)
		require.Equal(t, cli.ExitDone, got.code, got.stderr)
		for _, s := range settings.All() {
			used := slices.Contains(s.Used, name) || slices.Contains(s.Used, "every command")
			require.Equal(t, used, strings.Contains(got.stdout, " "+s.Flag()+", "+s.Env()), "%s in the help of %s", s.Name, name)
		}
	}
	gateway := command(t, nil, "gateway", "--help").stdout
	for _, said := range []string{"FLASHSALE_ADMIN_TOKEN (or FLASHSALE_ADMIN_TOKEN_FILE), needed",
		"FLASHSALE_GATEWAY_LISTEN, default 127.0.0.1:8080",
		"Address of the buyers' listener", "--config"} {
		require.Contains(t, gateway, said)
	}
}

func TestWrongUsageExits80(t *testing.T) {
	for _, args := range [][]string{{"nope"}, {"sale"}, {"version", "--no-such-flag"}, {"sale", "open"}, {"audit", "-o", "xml"},
		{"token"}, {"token", "--buyer", "a", "--count", "2"}, {"gateway", "--kafka-partitions", "many"}} {
		got := command(t, []string{"FLASHSALE_AUTH_HS256_SECRET=0123456789abcdef0123456789abcdef"}, args...)
		require.Equal(t, cli.ExitUsage, got.code, "%q: %s", args, got.stderr)
		require.NotEmpty(t, got.stderr, "%q", args)
	}
}
