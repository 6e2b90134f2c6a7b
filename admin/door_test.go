package admin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"flashsale/test/collector"
	"flashsale/tracing"
)

// TestOnlyFaultsOfThisSideFailASpan: a sale that does not exist is the operator's mistake; a store that is away and a handler
// that panics are not.
func TestOnlyFaultsOfThisSideFailASpan(t *testing.T) {
	c := collector.HTTP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	tracer, err := tracing.Open(tracing.Options{Process: "gateway"})
	require.NoError(t, err)
	b := newBench(t)
	b.api.tracer = tracer
	const one = "/admin/v1/sales/nowhere"
	require.Equal(t, http.StatusNotFound, b.ask("GET", one, "").Status)
	b.store.away = true
	require.Equal(t, http.StatusServiceUnavailable, b.ask("GET", one, "").Status)
	broken := b.api.serve(route{path: "/broken", need: signedIn, handle: func(*call) error { panic("broken") }})
	require.Panics(t, func() {
		broken.ServeHTTP(httptest.NewRecorder(), b.request("GET", "/broken", strings.NewReader("")))
	})
	tracer.Close()
	var codes []tracepb.Status_StatusCode
	for _, span := range c.Spans() {
		codes = append(codes, span.Status.GetCode())
	}
	const unset, failed = tracepb.Status_STATUS_CODE_UNSET, tracepb.Status_STATUS_CODE_ERROR
	require.Equal(t, []tracepb.Status_StatusCode{unset, failed, failed}, codes)
}
