package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// operatorsThatAnswer is an operators' API that gives every request the same answer.
func operatorsThatAnswer(t *testing.T, status int, code, title string) []string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"status":%d,"code":%q,"title":%q}`, status, code, title)
	}))
	t.Cleanup(server.Close)
	return []string{testToken, testDSN, "FLASHSALE_ADMIN_URL=" + server.URL}
}

// A rush that cannot buy anything, whatever the stock, is not a measurement.
func TestRushThatIsRefusedAsAWholeFails(t *testing.T) {
	environ := append(operatorsThatAnswer(t, 404, "sale_not_found", "There is no such sale"), testSecret)
	_, url, _ := strings.Cut(environ[2], "=")
	got := command(t, environ, "", "load", "rush", "--url", url, "--sale", "s", "--sku", "a", "--buyers", "3", "--rate", "1000")
	require.Equal(t, ExitFailed, got.code, got.stderr)
	require.Contains(t, got.stderr, "every press was refused: sale_not_found")
	require.Contains(t, got.stdout, "3 presses", "the report is printed all the same")
	environ = append(operatorsThatAnswer(t, 409, "sold_out", "Nothing is left"), testSecret)
	_, url, _ = strings.Cut(environ[2], "=")
	got = command(t, environ, "", "load", "rush", "--url", url, "--sale", "s", "--sku", "a", "--buyers", "3", "--rate", "1000")
	require.Equal(t, ExitDone, got.code, "buyers who are too late are part of a rush: %s", got.stderr)
}

// The generator presses at the listener of the configuration, and fails when it could not press at all.
func TestRushGoesToTheConfiguredGateway(t *testing.T) {
	_, port, _ := strings.Cut(closedPort(t), ":")
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "", "[::]"} {
		got := command(t, []string{testSecret, "FLASHSALE_GATEWAY_LISTEN=" + host + ":" + port}, "",
			"load", "rush", "--sale", "s", "--sku", "a", "--buyers", "2", "--max-attempts", "1", "--rate", "1000")
		require.Equal(t, ExitFailed, got.code, got.stderr)
		require.Contains(t, got.stderr, "nothing was sent")
		require.Contains(t, got.stderr, "127.0.0.1:"+port)
		require.Contains(t, got.stdout, "not_sent", "the report is printed all the same")
	}
	got := command(t, []string{testSecret, "FLASHSALE_GATEWAY_LISTEN=10.1.2.3:99"}, "",
		"load", "targets", "--sale", "s", "--sku", "a", "--buyers", "1")
	require.Contains(t, got.stdout, `"http://10.1.2.3:99/v1/sales/s/items/a/orders`)
	got = command(t, []string{testSecret, "FLASHSALE_GATEWAY_LISTEN=127.0.0.1:0"}, "",
		"load", "targets", "--sale", "s", "--sku", "a", "--buyers", "1")
	require.Equal(t, ExitUsage, got.code)
	require.Contains(t, got.stderr, "--url")
}

// A rush of baskets cannot ask for more distinct SKUs than it was given.
func TestRushOfBasketsNeedsAsManySKUs(t *testing.T) {
	rush := []string{"load", "rush", "--url", "http://127.0.0.1:1", "--sale", "s", "--buyers", "1", "--max-attempts", "1"}
	got := command(t, []string{testSecret}, "", append(rush, "--sku", "a,a", "--lines", "2")...)
	require.Equal(t, ExitFailed, got.code)
	require.Contains(t, got.stderr, "lines must be 0 to 20, and no more than there are SKUs")
	got = command(t, []string{testSecret}, "", append(rush, "--sku", "a,b", "--lines", "2")...)
	require.Contains(t, got.stderr, "nothing was sent", "they are enough")
}

func TestTargetsFromStdin(t *testing.T) {
	tokens := command(t, []string{testSecret}, "", "token", "--count", "2")
	got := command(t, nil, tokens.stdout, "load", "targets", "--sale", "s", "--sku", "a", "--tokens", "-")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Equal(t, 2, strings.Count(got.stdout, `"method":"POST"`))
	require.Contains(t, got.stdout, "/v1/sales/s/items/a/orders")
}
