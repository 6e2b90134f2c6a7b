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

// TestSpansHaveTheStatusOfTheAnswer: a wrong request is no failure of the server, an answer 503 is one.
func TestSpansHaveTheStatusOfTheAnswer(t *testing.T) {
	c := collector.HTTP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	tracer, err := tracing.Open(tracing.Options{Process: "gateway"})
	require.NoError(t, err)
	b := newBench(t)
	b.api.tracer = tracer
	b.ask("GET", logLevelPath, "").is(200)
	b.ask("PUT", logLevelPath, `{"level":"loud"}`).problem(400, "malformed")
	b.store.set(func() { b.store.away = true })
	b.ask("GET", "/admin/v1/sales", "").problem(503, "unavailable")
	tracer.Close() // sends the spans
	unset, failed := tracepb.Status_STATUS_CODE_UNSET, tracepb.Status_STATUS_CODE_ERROR
	for _, want := range []struct {
		route, method string
		status        int
		code          tracepb.Status_StatusCode
	}{{logLevelPath, "GET", 200, unset}, {logLevelPath, "PUT", 400, unset}, {"/admin/v1/sales", "GET", 503, failed}} {
		of := c.Named(want.route)
		found := false
		for _, span := range of {
			if span.Attribute("http.request.method") == want.method {
				found = true
				require.EqualValues(t, want.status, span.Attribute("http.response.status_code"), want)
				require.Equal(t, want.code, span.GetStatus().GetCode(), want)
			}
		}
		require.True(t, found, want)
	}
}

// TestAPanicFailsItsSpan: the answer 500 is written after the span has ended.
func TestAPanicFailsItsSpan(t *testing.T) {
	c := collector.HTTP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	tracer, err := tracing.Open(tracing.Options{Process: "gateway"})
	require.NoError(t, err)
	b := newBench(t)
	b.api.tracer = tracer
	broken := b.api.serve(route{path: "/broken", need: signedIn, handle: func(*call) error { panic("broken") }})
	require.PanicsWithValue(t, "broken", func() {
		broken.ServeHTTP(httptest.NewRecorder(), b.request("GET", "/broken", strings.NewReader("")))
	})
	tracer.Close()
	require.Len(t, c.Spans(), 1)
	require.EqualValues(t, http.StatusInternalServerError, c.Spans()[0].Attribute("http.response.status_code"))
	require.Equal(t, tracepb.Status_STATUS_CODE_ERROR, c.Spans()[0].GetStatus().GetCode())
}
