package main

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

// TestRulesPutAsksForYes where a set is a mistake more often than meant, and puts nothing before it has it.
func TestRulesPutAsksForYes(t *testing.T) {
	present := sale.Rules{Version: 7, Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 5000}}}
	var puts atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			puts.Add(1)
			_, _ = io.Copy(w, r.Body) // the connection's fault would fail the command
			return
		}
		body, err := json.Marshal(present)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(body) // as above
	}))
	defer api.Close()
	put := func(set string, flags ...string) output {
		return command(t, []string{testToken, "FLASHSALE_ADMIN_URL=" + api.URL}, set, append([]string{"rules", "put", "-f", "-"}, flags...)...)
	}
	for set, says := range map[string]string{
		"{}":                                   "takes off every rule of the present version 7 but default limits",
		"buyer: null":                          "takes off every rule of the present version 7 but default limits",
		"{buyer: null, grief: {unpaid: 0}}":    "takes off every rule of the present version 7 and limits nothing",
		"flow: [{resource: purchase, qps: 0}]": "refuses every request of purchase",
	} {
		refused := put(set)
		require.Equal(t, exitUsage, refused.code, set)
		require.Contains(t, refused.stderr, says)
		require.Contains(t, refused.stderr, "--yes")
		require.Zero(t, puts.Swap(0), set)
		meant := put(set, "--yes")
		require.Equal(t, exitDone, meant.code, meant.stderr)
		require.EqualValues(t, 1, puts.Swap(0), set)
	}
	for _, set := range []string{"flow: [{resource: purchase, qps: 1}]", "address: {per_second: 10, burst: 10}", "flow: 7", "buyer: {per_second: 0, burst: 10}"} {
		require.Equal(t, exitDone, put(set).code, "%s: the API is the judge of what is no mistake of this kind", set)
		require.EqualValues(t, 1, puts.Swap(0), set)
	}
}

// TestMovesOfASaleThatHasEndedSaySo on stderr: it is no fault, because the end may be moved.
func TestMovesOfASaleThatHasEndedSaySo(t *testing.T) {
	var answer atomic.Pointer[sale.Sale]
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(answer.Load()); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer api.Close()
	for verb, state := range map[string]sale.State{"preload": sale.StatePreloaded, "open": sale.StateOpen, "resume": sale.StateOpen, "close": sale.StateClosed} {
		for after, says := range map[time.Duration]bool{-time.Hour: verb != "close", time.Hour: false} {
			answer.Store(&sale.Sale{ID: "late", State: state, EndsAt: sale.Time{Time: time.Now().Add(after)}})
			got := command(t, []string{testToken, "FLASHSALE_ADMIN_URL=" + api.URL}, "", "sale", verb, "late")
			require.Equal(t, exitDone, got.code, got.stderr)
			require.Equal(t, says, strings.Contains(got.stderr, "sale late ended at "), "%s, ends in %s: %s", verb, after, got.stderr)
		}
	}
}
