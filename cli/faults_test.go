package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// apiCommands is every command that asks the operators' API, with what it is given on stdin.
var apiCommands = map[string]string{
	"sale create s -f -": "{}", "sale buyers s -f -": "ann\n", "sale preload s": "", "sale open s": "", "sale pause s": "",
	"sale resume s": "", "sale close s": "", "sale freeze s": "",
	"sale thaw s": "", "orders show 7": "", "orders cancel 7": "", "orders extend 7 --pay-by 2027-01-01T00:00:00Z": "",
	"orders list": "", "orders -o csv": "", "deadletter list": "", "deadletter replay 1-2": "", "deadletter refuse 1-2": "",
	"sale stock s phone --add 5": "", "sale archive s": "", "sale show s": "",
	"sale show s -o json": "", "sale armed": "",
	"sale list": "", "sale list --archived -o json": "", "rules get": "", "rules put -f - --yes": "{}",
	"trail": "", "trail --verify": "", "audit": "", "audit s": "", "top": "", "top s --once": "",
}

// reads reports whether a command only reads: then it exits 2 where something could not be read.
func reads(line string) bool {
	for _, word := range []string{"show", "list", "armed", "get", "trail", "audit", "top", "csv"} {
		if strings.Contains(line, word) {
			return true
		}
	}
	return false
}

// TestEveryCommandOfTheAPINamesListenerAndNextStep: what goes wrong between a command and the operators' API.
func TestEveryCommandOfTheAPINamesListenerAndNextStep(t *testing.T) {
	away := "http://" + closedPort(t)
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	urlOf := func(environ []string) string { return strings.TrimPrefix(environ[2], "FLASHSALE_ADMIN_URL=") }
	refuses := func(status int, code, title string) string { return urlOf(operatorsThatAnswer(t, status, code, title)) }
	for _, fault := range []struct {
		name, url  string
		says       string
		read, done int // exit code of a command that reads, and of one that changes something
	}{
		{"away", away, "is a gateway running there (admin.url)?", ExitUnreadable, ExitFailed},
		{"wrong token", refuses(401, "unauthenticated", "A valid token is required"), "set admin.token", ExitFailed, ExitFailed},
		{"role", refuses(403, "forbidden", "Another role is needed"), "set admin.token to a token", ExitFailed, ExitFailed},
		{"wrong listener", refuses(404, "not_found", "There is nothing"), "set admin.url to the operators' listener", ExitFailed,
			ExitFailed},
		{"a page", page.URL, "it is not the operators' API: set admin.url", ExitFailed, ExitFailed},
		{"store away", refuses(503, "unavailable", "the request to Redis failed"), "/readyz and its log name the address",
			ExitUnreadable, ExitFailed},
	} {
		for line, stdin := range apiCommands {
			got := command(t, []string{testToken, "FLASHSALE_ADMIN_URL=" + fault.url}, stdin, strings.Fields(line)...)
			require.Contains(t, got.stderr, fault.url, "%s: %s", fault.name, line)
			require.Contains(t, got.stderr, fault.says, "%s: %s", fault.name, line)
			want := fault.done
			if reads(line) {
				want = fault.read
			}
			if strings.HasPrefix(line, "audit") {
				want = ExitUnreadable // documented: whatever keeps an audit from its answer
			}
			require.Equal(t, want, got.code, "%s: %s: %s", fault.name, line, got.stderr)
			require.NotContains(t, got.stderr, "operators-token-of-a-test", "%s: %s", fault.name, line)
		}
	}
}

// A command without a token, or with a URL that is none, says so before it asks anybody.
func TestEveryCommandOfTheAPINeedsItsSettings(t *testing.T) {
	for line, stdin := range apiCommands {
		got := command(t, nil, stdin, strings.Fields(line)...)
		require.Equal(t, ExitUsage, got.code, line)
		require.Contains(t, got.stderr, "admin.token", line)
		got = command(t, []string{testToken, "FLASHSALE_ADMIN_URL=gateway:8081"}, stdin, strings.Fields(line)...)
		require.Equal(t, ExitUsage, got.code, line)
		require.Contains(t, got.stderr, "admin.url", line)
	}
}

// Files that are not there, or hold something else.
func TestEveryCommandNamesItsFile(t *testing.T) {
	environ := append(operatorsThatSay(t, openSale), testSecret, testDSN)
	dir := t.TempDir()
	none, bad := filepath.Join(dir, "none"), filepath.Join(dir, "bad.yaml")
	require.NoError(t, os.WriteFile(bad, []byte("a: [1\nb"), 0o600))
	for _, c := range []struct {
		line, says string
		code       int
	}{
		{"sale create s -f " + none, none + ": no such file", ExitUnreadable},
		{"sale create s -f " + dir, dir + ": is a directory", ExitUnreadable},
		{"sale create s -f " + bad, "neither JSON nor YAML", ExitFailed},
		{"sale buyers s -f " + none, none + ": no such file", ExitUnreadable},
		{"rules put -f " + none, none + ": no such file", ExitUnreadable},
		{"rules put -f " + bad, "neither JSON nor YAML", ExitFailed},
		{"load targets --sale s --sku a --tokens " + none, none + ": no such file", ExitUnreadable},
		{"load rush --sale s --sku a --tokens " + none, none + ": no such file", ExitUnreadable},
		{"load rush --sale s --sku a --history " + none + "/x", none + "/x: no such file", ExitUsage},
		{"load verdict s --history " + none, none + ": no such file", ExitUnreadable},
		{"config --config " + none, none, ExitUsage},
		{"config --config " + bad, bad, ExitUsage},
		{"token --buyer a --auth-hs256-secret-file " + none, none, ExitUsage},
		{"sale list --admin-token-file " + none, none, ExitUsage},
	} {
		got := command(t, environ, "", strings.Fields(c.line)...)
		require.Equal(t, c.code, got.code, "%s: %s", c.line, got.stderr)
		require.Contains(t, got.stderr, c.says, c.line)
	}
}
