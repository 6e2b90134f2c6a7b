package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// TestRulesPutAsksForYes for a set that is probably a mistake, and sends nothing before --yes.
func TestRulesPutAsksForYes(t *testing.T) {
	present := sale.Rules{Version: 7, Flow: []sale.FlowRule{{Resource: sale.ResourcePurchase, QPS: 5000}}}
	var puts atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			puts.Add(1)
			_, _ = io.Copy(w, r.Body) // an error of the connection would fail the command
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
		return command(t, []string{testToken, "FLASHSALE_ADMIN_URL=" + api.URL}, set,
			append([]string{"rules", "put", "-f", "-"}, flags...)...)
	}
	for set, says := range map[string]string{
		"{}":                                   "removes every rule of the present version 7 except default limits",
		"buyer: null":                          "removes every rule of the present version 7 except default limits",
		"{buyer: null, grief: {unpaid: 0}}":    "removes every rule of the present version 7 and limits nothing",
		"flow: [{resource: purchase, qps: 0}]": "refuses every request of purchase",
	} {
		refused := put(set)
		require.Equal(t, ExitUsage, refused.code, set)
		require.Contains(t, refused.stderr, says)
		require.Contains(t, refused.stderr, "--yes")
		require.Zero(t, puts.Swap(0), set)
		meant := put(set, "--yes")
		require.Equal(t, ExitDone, meant.code, meant.stderr)
		require.EqualValues(t, 1, puts.Swap(0), set)
	}
	for _, set := range []string{"flow: [{resource: purchase, qps: 1}]", "address: {per_second: 10, burst: 10}", "flow: 7",
		"buyer: {per_second: 0, burst: 10}"} {
		require.Equal(t, ExitDone, put(set).code, "%s: the API judges every other set", set)
		require.EqualValues(t, 1, puts.Swap(0), set)
	}
}
