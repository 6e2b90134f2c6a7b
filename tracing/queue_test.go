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
	"flashsale/test/locked"
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
			"some":           {1, 1, "too\nold (2 spans rejected)", "does not take spans; they are lost"},
			"none":           {0, 0, "soon too old", "took all spans and has a remark"},
			"without a word": {3, 3, "", "does not take spans; they are lost"},
			"less than none": {-1, 0, "confused", "took all spans and has a remark"},
			"more than sent": {9, 3, "confused", "does not take spans; they are lost"},
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

// TestACollectorThatIsAwayIsToldOnce: and its return too. The start is told with where the spans go.
func TestACollectorThatIsAwayIsToldOnce(t *testing.T) {
	c := collector.HTTP(t)
	c.Refuse.Store(true)
	always(t, c.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "5")
	log := &locked.Buffer{}
	tracer, err := tracing.Open(tracing.Options{Process: "gateway", Log: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	defer tracer.Close()
	require.Contains(t, log.String(), `level=INFO msg="spans are sent to a collector" at=`+c.URL+" protocol=http/protobuf ")
	send := func(result string, n int) {
		t.Helper()
		for counted(t, tracer)[result] < n {
			before := counted(t, tracer)[result]
			tracer.Server(route, time.Now(), nil, false).End()
			require.Eventually(t, func() bool { return counted(t, tracer)[result] > before }, 10*time.Second, time.Millisecond)
		}
	}
	send("failed", 5)
	c.Refuse.Store(false)
	send("exported", 5)
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "takes spans again") }, 10*time.Second,
		time.Millisecond)
	require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), "%s", log)
	require.Equal(t, 2, strings.Count(log.String(), "level=INFO"), "%s", log)
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
