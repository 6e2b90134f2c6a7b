package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// listsSales is a listener of operators whose list of sales is that of each call in turn, and then the last one.
func listsSales(t *testing.T, lists ...[]sale.Sale) (environ []string) {
	t.Helper()
	var calls atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		list := lists[min(int(calls.Add(1)), len(lists))-1]
		if list == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"sales": list}); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(api.Close)
	return []string{testToken, "FLASHSALE_ADMIN_URL=" + api.URL}
}

// beginning returns a sale whose window begins after a time and lasts an hour.
func beginning(id string, state sale.State, after time.Duration) sale.Sale {
	starts := time.Now().Add(after)
	return sale.Sale{ID: id, State: state, StartsAt: sale.Time{Time: starts}, EndsAt: sale.Time{Time: starts.Add(time.Hour)}}
}

// TestSaleArmedStopsARollout while a sale sells or is about to, and names it.
func TestSaleArmedStopsARollout(t *testing.T) {
	environ := listsSales(t, []sale.Sale{beginning("later", sale.StateOpen, 3*time.Hour),
		beginning("live", sale.StateOpen, -time.Minute),
		beginning("over", sale.StateOpen, -2*time.Hour), beginning("soon", sale.StatePreloaded, 30*time.Minute),
		beginning("draft", sale.StateDraft, 0)})
	got := command(t, environ, "", "sale", "armed")
	require.Equal(t, ExitFailed, got.code)
	require.Regexp(t, `^live: open, sells from .* to .*\nsoon: preloaded, sells from .* to .*\n$`, got.stdout)
	require.Contains(t, got.stderr, "2 sales are armed")
	none := command(t, environ, "", "sale", "armed", "--within", "0s")
	require.Equal(t, ExitFailed, none.code)
	require.NotContains(t, none.stdout, "soon")
	require.Contains(t, none.stderr, "1 sale is armed")
	require.Contains(t, command(t, environ, "", "sale", "armed", "--within", "4h").stdout, "later")
	wrong := command(t, environ, "", "sale", "armed", "--within=-1s")
	require.Equal(t, ExitUsage, wrong.code)
	require.Contains(t, wrong.stderr, "--within")
}

// TestSaleArmedWaits until no sale is armed, also through an answer that fails.
func TestSaleArmedWaits(t *testing.T) {
	live := []sale.Sale{beginning("live", sale.StateOpen, 0)}
	got := command(t, listsSales(t, live, nil, live, []sale.Sale{}), "", "sale", "armed", "--wait", "1m")
	require.Equal(t, ExitDone, got.code, got.stderr)
	require.Equal(t, "no sale is armed\n", got.stdout)
	still := command(t, listsSales(t, live), "", "sale", "armed", "--wait", "20ms")
	require.Equal(t, ExitFailed, still.code)
	require.Contains(t, still.stdout, "live: open")
}
