package admin

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
)

func TestProbesAndMetricsNeedNoToken(t *testing.T) {
	b := newBench(t)
	require.JSONEq(t, `{"status":"live"}`, string(b.ask("GET", "/livez", "", "Authorization", "").Body))
	ready := b.ask("GET", "/readyz", "", "Authorization", "").is(200)
	delete(ready, "dependencies")
	require.Equal(t, map[string]any{"status": "ready", "checks": map[string]any{}}, ready)
	metrics := b.ask("GET", "/metrics", "", "Authorization", "")
	require.Equal(t, 200, metrics.Status)
	require.Contains(t, string(metrics.Body), `flashsale_build_info{commit="abc",version="1.2.3"} 1`)
	require.Contains(t, metrics.Header.Get("Content-Type"), "text/plain")
}

func TestReadyTellsWhatIsMissing(t *testing.T) {
	b := newBench(t)
	b.ready = map[string]string{"mysql": "no contact yet"}
	problem := b.ask("GET", "/readyz", "").problem(503, "unavailable")
	require.Equal(t, map[string]any{"mysql": "no contact yet"}, problem["checks"])
	require.JSONEq(t, `{"status":"live"}`, string(b.ask("GET", "/livez", "").Body))
}

func TestReadyTellsHowFarTheClockIs(t *testing.T) {
	checks, known := map[string]string{}, false
	clock := func() (time.Duration, bool) { return -90*time.Minute - time.Microsecond, known }
	b := newBench(t)
	b.api.mux = http.NewServeMux()
	b.api.mux.Handle("GET /readyz", b.api.serve(route{need: public,
		handle: serveReady(func() map[string]string { return checks }, clock, nil)}))
	probes := listen(t, NewProbes(ProbesOptions{Ready: func() map[string]string { return checks }, ClockAhead: clock}))
	for _, url := range []string{b.url, probes} {
		checks, known = map[string]string{}, false
		ask := func() *reply {
			request, err := http.NewRequest(http.MethodGet, url+"/readyz", nil)
			require.NoError(t, err)
			return do(t, request)
		}
		require.NotContains(t, ask().is(200), "clock_ahead_ms")
		known = true
		require.InDelta(t, -5_400_000, ask().is(200)["clock_ahead_ms"], 0)
		checks = map[string]string{"kafka": "away"}
		require.InDelta(t, -5_400_000, ask().problem(503, "unavailable")["clock_ahead_ms"], 0)
	}
}

func TestProbesOfAProcessWithoutAPI(t *testing.T) {
	registry := prometheus.NewRegistry()
	checks := map[string]string{"kafka": "topics missing"}
	url := listen(t, NewProbes(ProbesOptions{Gatherer: registry, Ready: func() map[string]string { return checks }}))
	ask := func(method, path string) *reply {
		request, err := http.NewRequest(method, url+path, nil)
		require.NoError(t, err)
		return do(t, request)
	}
	ask("GET", "/livez").is(200)
	ask("HEAD", "/livez")
	require.Equal(t, map[string]any{"kafka": "topics missing"}, ask("GET", "/readyz").problem(503, "unavailable")["checks"])
	clear(checks)
	ask("GET", "/readyz").is(200)
	require.Equal(t, 200, ask("GET", "/metrics").Status)
	ask("GET", "/admin/v1/sales").problem(404, "not_found")
	require.Equal(t, "GET, HEAD", ask("POST", "/metrics").Header.Get("Allow"))
	ask("POST", "/metrics").problem(405, "method_not_allowed")
}

func TestMetricsThatCannotBeGatheredAreAProblem(t *testing.T) {
	broken := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("collector broke") })
	url := listen(t, NewProbes(ProbesOptions{Gatherer: broken}))
	request, err := http.NewRequest("GET", url+"/metrics", nil)
	require.NoError(t, err)
	do(t, request).problem(503, "unavailable")
}

// raw sends bytes as they are and returns the status line's code with the rest of the answer.
func raw(t *testing.T, url, text string) *reply {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, text)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.True(t, response.Close, "what cannot be parsed ends the connection")
	return &reply{t: t, Status: response.StatusCode, Header: response.Header, Body: body}
}

func TestBrokenFramingIsAProblem(t *testing.T) {
	b := newBench(t)
	for name, text := range map[string]string{
		"no HTTP":              "hello\r\n\r\n",
		"no host":              "GET /livez HTTP/1.1\r\n\r\n",
		"two hosts":            "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"two lengths":          "PUT /admin/v1/rules HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"bad length":           "PUT /admin/v1/rules HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
		"unknown encoding":     "PUT /admin/v1/rules HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
		"bad header name":      "GET /livez HTTP/1.1\r\nHost: a\r\nbad name: x\r\n\r\n",
		"HTTP of another kind": "GET /livez HTTP/9.9\r\nHost: a\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) { raw(t, b.url, text).problem(400, "malformed") })
	}
	large := "GET /livez HTTP/1.1\r\nHost: a\r\nX-Large: " + strings.Repeat("x", 9<<10) + "\r\n\r\n"
	raw(t, b.url, large).problem(431, "headers_too_large")
	allowed := "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Large: " + strings.Repeat("x", 7<<10) + "\r\n\r\n"
	raw(t, b.url, allowed).is(200)
}

func TestServerBoundsSlowHeaders(t *testing.T) {
	server := NewServer(http.NotFoundHandler())
	require.Equal(t, 10*time.Second, server.ReadHeaderTimeout)
	require.Positive(t, server.IdleTimeout)
	require.Zero(t, server.ReadTimeout, "a list of buyers may take longer than any fixed bound")

	server.ReadHeaderTimeout = 20 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ProblemListener(listener)) }()
	connection, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "GET / HTTP/1.1\r\nHost: ")
	require.NoError(t, err)
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(5*time.Second)))
	answer, err := io.ReadAll(connection)
	require.NoError(t, err, "the server hangs up")
	require.NotContains(t, string(answer), "200 OK")
	require.NoError(t, server.Close())
	require.ErrorIs(t, <-served, http.ErrServerClosed)
}

func TestShutdownEndsStreams(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale)
	server := NewServer(b.api)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	b.url = "http://" + listener.Addr().String()
	response := b.stream("GET", "/admin/v1/sales/s/stats")
	defer response.Body.Close()
	events(t, response.Body, 1)
	require.NoError(t, server.Shutdown(t.Context()))
	require.ErrorIs(t, <-served, http.ErrServerClosed)
}

func TestProblemListenerLeavesAnswersAlone(t *testing.T) {
	text := "HTTP/1.1 400 Bad Request\r\nDate: now\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
	for _, page := range []string{text, "", "HTTP/1.1 4", "HTTP/1.1 200 OK" + string(serverError), strings.Repeat("x", 1000) +
		string(serverError)} {
		_, own := serverErrorStatus([]byte(page))
		require.False(t, own, "%.40s", page)
	}
	status, own := serverErrorStatus([]byte("HTTP/1.1 431 Request Header Fields Too Large" + string(serverError) + "431"))
	require.True(t, own)
	require.Equal(t, 431, status)
}

// A scraper that asks for it gets OpenMetrics with exemplars, or native histograms; all others get the classic text.
func TestMetricsInTheFormatThatIsAskedFor(t *testing.T) {
	registry := prometheus.NewRegistry()
	durations := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "flashsale_test_seconds", Buckets: []float64{1}, NativeHistogramBucketFactor: 1.1,
	})
	registry.MustRegister(durations)
	durations.(prometheus.ExemplarObserver).ObserveWithExemplar(0.5, prometheus.Labels{"trace_id": "abc"})
	url := listen(t, NewProbes(ProbesOptions{Gatherer: registry}))
	for accept, want := range map[string][2]string{
		"": {"text/plain", `flashsale_test_seconds_bucket{le="1"} 1` + "\n"},
		"application/openmetrics-text; version=1.0.0": {"application/openmetrics-text",
			`flashsale_test_seconds_bucket{le="1.0"} 1 # {trace_id="abc"} 0.5`},
		"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited": {
			"application/vnd.google.protobuf", "flashsale_test_seconds"},
	} {
		request, err := http.NewRequest("GET", url+"/metrics", nil)
		require.NoError(t, err)
		request.Header.Set("Accept", accept)
		found := do(t, request)
		require.Contains(t, found.Header.Get("Content-Type"), want[0])
		require.Contains(t, string(found.Body), want[1])
		if want[0] != "application/vnd.google.protobuf" {
			continue
		}
		var family dto.MetricFamily
		decoder := expfmt.NewDecoder(bytes.NewReader(found.Body), expfmt.ResponseFormat(found.Header))
		require.NoError(t, decoder.Decode(&family))
		require.NotEmpty(t, family.GetMetric()[0].GetHistogram().GetPositiveSpan(), "native buckets")
		require.Len(t, family.GetMetric()[0].GetHistogram().GetBucket(), 1, "and the classic one")
	}
}
