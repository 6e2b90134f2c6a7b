package tracing

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// TestTheDefaultCollectorIsAskedWithoutTLS: without an address the exporters of the library send TLS to a collector that, by the
// specification, listens without.
func TestTheDefaultCollectorIsAskedWithoutTLS(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "otlp")
	for protocol, endpoint := range map[string]string{
		protocolHTTP: "http://localhost:4318/v1/traces", protocolGRPC: "http://localhost:4317",
	} {
		t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
		asked, err := readSetup()
		require.NoError(t, err)
		require.Equal(t, endpoint, asked.endpoint)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "")
	asked, err := readSetup()
	require.NoError(t, err)
	paths := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths <- r.URL.Path }))
	defer server.Close()
	asked.endpoint = strings.Replace(asked.endpoint, "http://localhost:4318", server.URL, 1)
	exporter, err := asked.exporter()
	require.NoError(t, err)
	require.NoError(t, exporter.ExportSpans(t.Context(), tracetest.SpanStubs{{Name: "one"}}.Snapshots()))
	require.Equal(t, "/v1/traces", <-paths)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	asked, err = readSetup()
	require.NoError(t, err)
	require.Empty(t, asked.endpoint, "the library reads the variable")
}
