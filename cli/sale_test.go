package cli

import (
	"encoding/json"
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
