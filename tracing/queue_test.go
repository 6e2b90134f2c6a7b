package tracing_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"

	"flashsale/test/collector"
	"flashsale/tracing"
)

// sendThree sends three spans in one batch, and returns how they were counted and what the log says.
func sendThree(t *testing.T, url string) (results map[string]int, said string) {
	t.Helper()
	always(t, url)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "60000") // Close sends them
	log := &strings.Builder{}
	tracer, err := tracing.Open(tracing.Options{Process: "gateway", Log: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	for range 3 {
		tracer.Server(route, time.Now(), nil, false).End()
	}
	tracer.Close()
	return counted(t, tracer), log.String()
}

// TestPartialSuccess: a collector that took some of the spans, and one that took all and says something.
func TestPartialSuccess(t *testing.T) {
	for protocol, start := range map[string]func(testing.TB) *collector.Collector{
		"http/protobuf": collector.HTTP, "grpc": collector.GRPC,
	} {
		for name, want := range map[string]struct {
			rejected     int64
			lost         int
			message, log string
		}{
			"some":           {1, 1, "too\nold (2 spans rejected)", "did not take spans; they are lost\" spans=1"},
			"none":           {0, 0, "soon too old", "took all spans and has a remark"},
			"without a word": {3, 3, "", "did not take spans; they are lost\" spans=3"},
			"more than sent": {9, 3, "confused", "did not take spans; they are lost\" spans=3"},
		} {
			t.Run(protocol+" "+name, func(t *testing.T) {
				t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
				c := start(t)
				c.Says.Store(&collect.ExportTracePartialSuccess{RejectedSpans: want.rejected, ErrorMessage: want.message})
				results, said := sendThree(t, c.URL)
				require.Equal(t, map[string]int{"exported": 3 - want.lost, "failed": want.lost, "dropped": 0}, results)
				require.Contains(t, said, want.log)
			})
		}
	}
}

// TestACollectorsPageIsClipped: what answers in the collector's place may send a page of megabytes.
func TestACollectorsPageIsClipped(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(strings.Repeat("é", 1<<20)))
	}))
	defer proxy.Close()
	results, said := sendThree(t, proxy.URL)
	require.Equal(t, map[string]int{"exported": 0, "failed": 3, "dropped": 0}, results)
	require.Contains(t, said, "403 Forbidden")
	require.Less(t, len(said), 2000)
}
