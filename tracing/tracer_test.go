package tracing_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"flashsale/sale"
	"flashsale/test/collector"
	"flashsale/tracing"
)

// always is the environment of a tracer that samples every trace and sends soon.
func always(t *testing.T, url string) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
}

func open(t *testing.T) *tracing.Tracer {
	t.Helper()
	tracer, err := tracing.Open(tracing.Options{Process: "gateway", Instance: "here", Version: "1"})
	require.NoError(t, err)
	require.NotNil(t, tracer)
	t.Cleanup(tracer.Close)
	return tracer
}

// counted returns flashsale_trace_spans_total by result.
func counted(t *testing.T, tracer *tracing.Tracer) map[string]int {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(tracer.Collectors()...)
	families, err := registry.Gather()
	require.NoError(t, err)
	results := map[string]int{}
	for _, metric := range families[0].Metric {
		results[metric.Label[0].GetValue()] = int(metric.Counter.GetValue())
	}
	return results
}

const route = "/v1/sales/{sale}/orders"

func TestWithoutAnEndpointThereIsNoTracer(t *testing.T) {
	tracer, err := tracing.Open(tracing.Options{Process: "gateway"})
	require.NoError(t, err)
	require.Nil(t, tracer)
}

// TestOffCostsNothing: what every room calls on the path of a purchase.
func TestOffCostsNothing(t *testing.T) {
	var tracer *tracing.Tracer
	ctx, began := context.Background(), time.Now()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		span := tracer.Server(route, began, nil, false)
		child := tracer.Child(span.Context(), "reserve", tracing.Internal, began)
		child.Link(span.Context())
		child.Text("key", "value")
		child.Number("key", 1)
		child.End()
		_, unit := tracer.Unit(ctx, "outbox")
		unit.Into(ctx)
		unit.FailWith(nil)
		unit.End()
		span.End()
	}))
	require.Empty(t, tracer.Collectors())
	tracer.Close()
}

func TestSpansArriveByBothProtocols(t *testing.T) {
	for protocol, start := range map[string]func(testing.TB) *collector.Collector{
		"http/protobuf": collector.HTTP, "grpc": collector.GRPC,
	} {
		t.Run(protocol, func(t *testing.T) {
			c := start(t)
			always(t, c.URL)
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
			tracer := open(t)
			span := tracer.Server(route, time.Now(), nil, false)
			child := tracer.Child(span.Context(), "reserve", tracing.Internal, time.Now())
			child.Text("flashsale.bucket", "demo:0")
			child.End()
			span.Fail("broken")
			span.End()
			tracer.Close()
			require.Len(t, c.Spans(), 2)
			server, reserve := c.Named(route)[0], c.Named("reserve")[0]
			require.Equal(t, "flashsale-gateway", server.Service)
			require.Empty(t, server.ParentSpanId)
			require.True(t, reserve.Under(server))
			require.Equal(t, "demo:0", reserve.Attribute("flashsale.bucket"))
			require.Equal(t, map[string]int{"exported": 2, "failed": 0, "dropped": 0}, counted(t, tracer))
		})
	}
}

func TestTheServicesNameIsTheOperators(t *testing.T) {
	c := collector.HTTP(t)
	always(t, c.URL)
	t.Setenv("OTEL_SERVICE_NAME", "till")
	tracer := open(t)
	tracer.Server(route, time.Now(), nil, false).End()
	tracer.Close()
	require.Equal(t, "till", c.Spans()[0].Service)
}

const callers = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"

// TestABuyerDoesNotDecide: the flag of a buyer neither samples nor hides a request, and the trace is a new one that is linked to
// the buyer's.
func TestABuyerDoesNotDecide(t *testing.T) {
	c := collector.HTTP(t)
	always(t, c.URL)
	tracer := open(t)
	tracer.Server(route, time.Now(), []byte(callers+"00"), false).End()
	tracer.Close()
	span := c.Spans()[0]
	require.NotEqual(t, "4bf92f3577b34da6a3ce929d0e0e4736", span.Trace())
	require.Empty(t, span.ParentSpanId)
	require.Len(t, span.Links, 1)
	require.Equal(t, "00f067aa0ba902b7", hex.EncodeToString(span.Links[0].SpanId))

	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	require.Nil(t, open(t).Server(route, time.Now(), []byte(callers+"01"), false))
}

func TestATrustedProxysTraceIsContinued(t *testing.T) {
	c := collector.HTTP(t)
	always(t, c.URL)
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
	tracer := open(t)
	require.Nil(t, tracer.Server(route, time.Now(), []byte(callers+"00"), true), "the proxy decides against it")
	require.Nil(t, tracer.Server(route, time.Now(), []byte("malformed"), true), "a new trace, by the sampler of its roots")
	tracer.Server(route, time.Now(), []byte(callers+"01"), true).End()
	tracer.Close()
	require.Len(t, c.Spans(), 1)
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", c.Spans()[0].Trace())
	require.Equal(t, "00f067aa0ba902b7", hex.EncodeToString(c.Spans()[0].ParentSpanId))

	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	require.Nil(t, open(t).Server(route, time.Now(), []byte(callers+"01"), true), "this sampler decides alone")
}

// TestASharesTracesAreThoseOfTheLibrary: of the traces that a trusted caller began, the same ones are sampled as by the library's
// sampler, whatever the caller has decided.
func TestASharesTracesAreThoseOfTheLibrary(t *testing.T) {
	always(t, collector.HTTP(t).URL)
	t.Setenv("OTEL_TRACES_SAMPLER", "traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
	tracer, library, sampled := open(t), sdktrace.TraceIDRatioBased(0.25), 0
	for i := range 2000 {
		hash := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		of := sale.SpanContext{TraceID: [16]byte(hash[:16]), SpanID: [8]byte{1}}
		theirs := library.ShouldSample(sdktrace.SamplingParameters{TraceID: of.TraceID}).Decision == sdktrace.RecordAndSample
		require.Equal(t, theirs, tracer.Server(route, time.Now(), []byte(of.Header()), true) != nil)
		if theirs {
			sampled++
		}
	}
	require.InDelta(t, 500, sampled, 120)
}

// TestAShareIsSampled: of 20,000 requests a share of 0.01 samples 200, give or take six standard deviations (84).
func TestAShareIsSampled(t *testing.T) {
	c := collector.HTTP(t)
	always(t, c.URL)
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.01")
	tracer := open(t)
	sampled := 0
	for range 20_000 {
		if tracer.Server(route, time.Now(), []byte(callers+"01"), false) != nil {
			sampled++
		}
	}
	require.InDelta(t, 200, sampled, 84)
}

func TestARequestThatIsNotSampledDoesNotAllocate(t *testing.T) {
	always(t, collector.HTTP(t).URL)
	t.Setenv("OTEL_TRACES_SAMPLER", "traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0")
	tracer, began, header := open(t), time.Now(), []byte(callers+"01")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		span := tracer.Server(route, began, header, false)
		tracer.Child(span.Context(), "reserve", tracing.Internal, began).End()
		span.End()
	}))
}

func TestLinksBeyondTheBoundAreCounted(t *testing.T) {
	c := collector.HTTP(t)
	always(t, c.URL)
	tracer := open(t)
	parent := tracer.Server(route, time.Now(), nil, false)
	span := tracer.Child(parent.Context(), "reserve", tracing.Internal, time.Now())
	for i := range 256 {
		span.Link(sale.SpanContext{TraceID: [16]byte{1}, SpanID: [8]byte{byte(i), 1}})
	}
	span.End()
	tracer.Close()
	got := c.Named("reserve")[0]
	require.Len(t, got.Links, 128)
	require.Equal(t, byte(0), got.Links[0].SpanId[0], "the first ones are kept")
	require.EqualValues(t, 128, got.Attribute("flashsale.links_left_out"))
	require.Zero(t, got.DroppedLinksCount)
}

// TestUnitsAreRootsOrChildren: the SQL of a unit is under it, and a unit within a request is the request's child.
func TestUnitsAreRootsOrChildren(t *testing.T) {
	c := collector.HTTP(t)
	always(t, c.URL)
	tracer := open(t)
	ctx, outer := tracer.Unit(t.Context(), "outer")
	inside, inner := tracer.Unit(ctx, "inner")
	require.Equal(t, inner.Context(), tracing.Current(inside))
	inner.End()
	outer.End()
	tracer.Close()
	require.True(t, c.Named("inner")[0].Under(c.Named("outer")[0]))
	require.Zero(t, tracing.Current(t.Context()))
}

// TestSpansOfACollectorThatIsSlowAreDroppedAndCounted: the queue holds 100 spans; no End waits.
func TestSpansOfACollectorThatIsSlowAreDroppedAndCounted(t *testing.T) {
	c := collector.HTTP(t)
	c.Delay.Store(int64(time.Hour))
	always(t, c.URL)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
	tracer := open(t)
	for range 1000 {
		tracer.Server(route, time.Now(), nil, false).End()
	}
	require.Equal(t, map[string]int{"exported": 0, "failed": 0, "dropped": 900}, counted(t, tracer))
	began := time.Now()
	tracer.Close()
	require.Less(t, time.Since(began), 10*time.Second, "a collector that hangs does not keep the process")
}

func TestSpansThatTheCollectorRefusesAreCounted(t *testing.T) {
	c := collector.HTTP(t)
	c.Refuse.Store(true)
	always(t, c.URL)
	said := &strings.Builder{}
	tracer, err := tracing.Open(tracing.Options{Process: "gateway", Log: slog.New(slog.NewTextHandler(said, nil))})
	require.NoError(t, err)
	tracer.Server(route, time.Now(), nil, false).End()
	tracer.Close()
	require.Equal(t, map[string]int{"exported": 0, "failed": 1, "dropped": 0}, counted(t, tracer))
	require.Contains(t, said.String(), "the collector does not take spans")
	require.Empty(t, c.Spans())
}

// TestACollectorThatIsAway: nothing listens at the address.
func TestACollectorThatIsAway(t *testing.T) {
	always(t, "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "200")
	tracer := open(t)
	tracer.Server(route, time.Now(), nil, false).End()
	began := time.Now()
	tracer.Close()
	require.Less(t, time.Since(began), 10*time.Second)
	require.Zero(t, counted(t, tracer)["exported"])
}
