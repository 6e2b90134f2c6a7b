package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestMovesOfASaleThatHasEndedSaySo on stderr: this is not an error, because the end may be moved.
func TestMovesOfASaleThatHasEndedSaySo(t *testing.T) {
	var answer atomic.Pointer[sale.Sale]
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(answer.Load()); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer api.Close()
	for verb, state := range map[string]sale.State{"preload": sale.StatePreloaded, "open": sale.StateOpen,
		"resume": sale.StateOpen, "close": sale.StateClosed} {
		for after, says := range map[time.Duration]bool{-time.Hour: verb != "close", time.Hour: false} {
			answer.Store(&sale.Sale{ID: "late", State: state, EndsAt: sale.Time{Time: time.Now().Add(after)}})
			got := command(t, []string{testToken, "FLASHSALE_ADMIN_URL=" + api.URL}, "", "sale", verb, "late")
			require.Equal(t, ExitDone, got.code, got.stderr)
			require.Equal(t, says, strings.Contains(got.stderr, "sale late ended at "),
				"%s, ends in %s: %s", verb, after, got.stderr)
		}
	}
}

// asked is a listener of operators that keeps the request that it got last.
type asked struct {
	method, path, body, key string
}

func listening(t *testing.T) (environ []string, last *asked) {
	t.Helper()
	last = &asked{}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
		*last = asked{r.Method, r.URL.RequestURI(), string(body), r.Header.Get("Idempotency-Key")}
		_, _ = io.WriteString(w, "{}") // the command fails when it gets no answer
	}))
	t.Cleanup(api.Close)
	return []string{testToken, "FLASHSALE_ADMIN_URL=" + api.URL}, last
}

// A stock change without a key gets one, which is printed so that the command can be repeated.
func TestSaleStockMakesAKey(t *testing.T) {
	environ, last := listening(t)
	got := command(t, environ, "", "sale", "stock", "rush", "phone", "--add=-5", "--key", "mine")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Equal(t, asked{"POST", "/admin/v1/sales/rush/items/phone/stock", `{"add":-5}`, `"mine"`}, *last)
	require.Empty(t, got.stderr)
	got = command(t, environ, "", "sale", "stock", "rush", "phone", "--add", "50")
	require.Equal(t, ExitDone, got.code, got.stderr)
	made := strings.Trim(last.key, `"`)
	require.Len(t, made, 26)
	require.Contains(t, got.stderr, "--key "+made)
	require.NotContains(t, got.stdout, made)
	again := command(t, environ, "", "sale", "stock", "rush", "phone", "--add", "50")
	require.Equal(t, ExitDone, again.code)
	require.NotContains(t, again.stderr, made, "every change has a key of its own")
	require.NotEqual(t, ExitDone, command(t, environ, "", "sale", "stock", "rush", "phone").code, "the number is required")
}

// The key is printed where the change may have been made, and nowhere else.
func TestSaleStockPrintsAKeyThatMatters(t *testing.T) {
	words := []string{"sale", "stock", "rush", "phone", "--add", "50"}
	for status, printed := range map[int]bool{401: false, 403: false, 404: false, 409: false, 500: true, 503: true} {
		got := command(t, operatorsThatAnswer(t, status, "code", "title"), "", words...)
		require.Equal(t, ExitFailed, got.code, got.stderr)
		require.Equal(t, printed, strings.Contains(got.stderr, "--key "), "%d: %s", status, got.stderr)
	}
	nobody := command(t, []string{testToken, "FLASHSALE_ADMIN_URL=http://" + closedPort(t)}, "", words...)
	require.Equal(t, ExitFailed, nobody.code)
	require.NotContains(t, nobody.stderr, "--key ", "nobody got the request")
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			err = connection.Close() // after the request, before an answer
		}
		if err != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer cut.Close()
	lost := command(t, []string{testToken, "FLASHSALE_ADMIN_URL=" + cut.URL}, "", words...)
	require.Equal(t, ExitFailed, lost.code)
	require.Contains(t, lost.stderr, "--key ", "the outcome is unknown: %s", lost.stderr)
}

func TestSaleHoldsArchiveAndList(t *testing.T) {
	environ, last := listening(t)
	for line, want := range map[string]asked{
		"archive rush":            {method: "DELETE", path: "/admin/v1/sales/rush"},
		"freeze rush":             {method: "POST", path: "/admin/v1/sales/rush/holds/freeze"},
		"thaw rush":               {method: "POST", path: "/admin/v1/sales/rush/holds/thaw"},
		"list -o json":            {method: "GET", path: "/admin/v1/sales"},
		"list -o json --archived": {method: "GET", path: "/admin/v1/sales?archived=true"},
	} {
		got := command(t, environ, "", append([]string{"sale"}, strings.Fields(line)...)...)
		require.Equal(t, ExitDone, got.code, got.stderr)
		require.Equal(t, want, *last, line)
	}
}
