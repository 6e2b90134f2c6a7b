package gateway

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"flashsale/test/collector"
	"flashsale/test/harness"
	"flashsale/tracing"
)

const callersParent = "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"

// traced gives a gateway a tracer that samples a share.
func traced(t testing.TB, share string) func(*Options, *Deps) {
	t.Helper()
	set := t.(interface{ Setenv(name, value string) }).Setenv
	set("OTEL_EXPORTER_OTLP_ENDPOINT", collector.HTTP(t).URL)
	set("OTEL_TRACES_SAMPLER", "traceidratio")
	set("OTEL_TRACES_SAMPLER_ARG", share)
	tracer, err := tracing.Open(tracing.Options{Process: "gateway"})
	require.NoError(t, err)
	t.Cleanup(tracer.Close)
	return func(_ *Options, d *Deps) { d.Tracer = tracer }
}

// TestARequestThatIsNotSampledDoesNotAllocate: with tracing on, a refusal costs no garbage collection either.
func TestARequestThatIsNotSampledDoesNotAllocate(t *testing.T) {
	s := newScene(t, traced(t, "0")).open(autumn())
	latchOf(s, "bob")
	ctx := requestOf(t, s, phoneOrders, bearer("ann")+"\r\n"+callersParent, `{"quantity":1}`)
	harness.NoAllocations(t, 200, func() {
		ctx.Response.Reset()
		s.gateway.handle(ctx)
	})
}

// TestSeveralTraceparentsAreNone: the second one could be a proxy's or anybody's.
func TestSeveralTraceparentsAreNone(t *testing.T) {
	h := readHeaders([]byte(callersParent + callersParent))
	require.Nil(t, h.caller())
	h = readHeaders([]byte(callersParent))
	require.Len(t, h.caller(), 55)
}

// BenchmarkTracing is the cost of a refused press with tracing off, on with 1 % and on with every trace sampled; and that of the
// library alone, which decides by its own sampler whether such a press is sampled.
func BenchmarkTracing(b *testing.B) {
	run := func(b *testing.B, change ...func(*Options, *Deps)) {
		s := newScene(b, change...).open(autumn())
		latchOf(s, "bob")
		ctx := requestOf(b, s, phoneOrders, bearer("ann")+"\r\n"+callersParent, `{"quantity":1}`)
		b.ReportAllocs()
		for b.Loop() {
			ctx.Response.Reset()
			s.gateway.handle(ctx)
		}
	}
	b.Run("off", func(b *testing.B) { run(b) })
	for name, share := range map[string]string{"one_percent": "0.01", "every_trace": "1"} {
		b.Run(name, func(b *testing.B) { run(b, traced(b, share)) })
	}
	b.Run("library_alone", func(b *testing.B) {
		provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.TraceIDRatioBased(0.01)))
		tracer := provider.Tracer("flashsale")
		header := propagation.MapCarrier{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}
		b.ReportAllocs()
		for b.Loop() {
			ctx := propagation.TraceContext{}.Extract(context.Background(), header)
			_, span := tracer.Start(ctx, "route")
			span.End()
		}
	})
}
