package tracing

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"

	"flashsale/sale"
)

// Options say which process makes the spans.
type Options struct {
	Process  string // "gateway" or "settle": the service is called flashsale-gateway where OTEL_SERVICE_NAME does not say else
	Instance string // unique to the process
	Version  string
	Log      *slog.Logger
}

// Tracer makes the spans of a process. A nil Tracer makes none.
type Tracer struct {
	setup
	bound    uint64 // a random number below it begins a sampled trace
	always   bool
	links    int // that a span keeps
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider
	counts   *counts
	log      *slog.Logger
}

// Open reads the OTEL_* variables and returns the process's tracer, nil when tracing is off. The error names every variable with
// a value that cannot be. The collector need not be up.
func Open(o Options) (*Tracer, error) {
	asked, err := readSetup()
	if asked == nil || err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	exporter, err := asked.exporter()
	if err != nil {
		return nil, fmt.Errorf("open the exporter of traces: %w", err)
	}
	of, err := resource.New(context.Background(),
		resource.WithAttributes(semconv.ServiceName("flashsale-"+o.Process), semconv.ServiceVersion(o.Version),
			semconv.ServiceInstanceID(o.Instance)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv()) // the later one wins
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	o.Log.Info("spans are sent to a collector", "at", cmp.Or(asked.named, asked.endpoint), "protocol", asked.protocol,
		"sampled_share", asked.share, "trusted_parents_decide", asked.parentBased)
	return newTracer(*asked, exporter, of, o.Log), nil
}

// defaultEndpoints are where spans go when no variable names a collector, as the OTLP specification has it; the exporters' own
// default is the same port with TLS.
var defaultEndpoints = map[string]string{
	protocolHTTP: "http://localhost:4318/v1/traces", protocolGRPC: "http://localhost:4317",
}

// exporter returns the exporter of the protocol, which reads its other variables by itself.
func (s *setup) exporter() (sdktrace.SpanExporter, error) {
	var http []otlptracehttp.Option
	var grpc []otlptracegrpc.Option
	if s.endpoint != "" {
		http, grpc = append(http, otlptracehttp.WithEndpointURL(s.endpoint)),
			append(grpc, otlptracegrpc.WithEndpointURL(s.endpoint))
	}
	if s.protocol == protocolGRPC {
		return otlptracegrpc.New(context.Background(), grpc...)
	}
	return otlptracehttp.New(context.Background(), http...)
}

func newTracer(s setup, exporter sdktrace.SpanExporter, of *resource.Resource, log *slog.Logger) *Tracer {
	numbers := newCounts()
	limits := sdktrace.NewSpanLimits() // of the OTEL_SPAN_… variables
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithResource(of),
		sdktrace.WithRawSpanLimits(limits), sdktrace.WithSpanProcessor(newQueue(exporter, numbers, log)))
	links := limits.LinkCountLimit
	if links < 0 {
		links = math.MaxInt
	}
	return &Tracer{
		setup: s, bound: boundOf(s.share), always: s.share >= 1, links: links, provider: provider, counts: numbers, log: log,
		tracer: provider.Tracer("flashsale"),
	}
}

// boundOf returns the number below which a share of all 64-bit numbers is.
func boundOf(share float64) uint64 {
	if share >= 1 {
		return math.MaxUint64
	}
	return uint64(math.Ldexp(share, 64))
}

// Collectors returns the metrics of the tracer; a nil Tracer has none.
func (t *Tracer) Collectors() []prometheus.Collector {
	if t == nil {
		return nil
	}
	return []prometheus.Collector{t.counts.spans}
}

// closeWithin bounds the last sending of spans: a collector that is away must not keep a process from ending.
const closeWithin = 2 * time.Second

// Close sends the spans that wait, for at most two seconds.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last spans may not have reached the collector", "error", err)
	}
}

// begins decides whether a trace that begins here is sampled.
func (t *Tracer) begins() bool { return t.always || rand.Uint64() < t.bound }

// ratioOf returns the number by which a share of the traces of others is chosen: the last eight bytes of the trace's id, as the
// library's sampler reads them, so that all processes with the same share choose the same traces.
func ratioOf(parent sale.SpanContext) uint64 { return binary.BigEndian.Uint64(parent.TraceID[8:]) }

// Server begins the span of a request that came from outside, nil when it is not sampled. What a trusted peer sent as
// traceparent is continued, with its decision where the sampler is parent-based. What anybody else sent is linked: the trace is
// a new one, and the decision is this process's own.
func (t *Tracer) Server(route string, began time.Time, traceparent []byte, trusted bool) *Span {
	if t == nil {
		return nil
	}
	ctx := context.Background()
	if trusted {
		if parent, sampled, ok := sale.ParseTraceparent(traceparent); ok {
			if !t.parentBased {
				sampled = t.always || ratioOf(parent) < t.bound
			}
			if !sampled {
				return nil
			}
			return t.start(under(ctx, parent), route, trace.SpanKindServer, began)
		}
	}
	if !t.begins() {
		return nil
	}
	span := t.start(ctx, route, trace.SpanKindServer, began)
	if caller, _, ok := sale.ParseTraceparent(traceparent); ok {
		span.Link(caller)
	}
	return span
}

// Unit begins the span of one unit of background work, and returns a context with it. Under the span of ctx it is that span's
// child; otherwise it begins a trace. The span is nil, and the context ctx, when it is not sampled.
func (t *Tracer) Unit(ctx context.Context, name string) (context.Context, *Span) {
	if t == nil || !trace.SpanFromContext(ctx).IsRecording() && !t.begins() {
		return ctx, nil
	}
	span := t.start(ctx, name, trace.SpanKindInternal, time.Now())
	return span.Into(ctx), span
}

// Kind is what a span does for the one above it.
type Kind int

// The kinds of child spans.
const (
	Internal Kind = iota
	Producer      // it sends a record
	Consumer      // it works on a record that the span above sent
)

var kinds = [...]trace.SpanKind{
	Internal: trace.SpanKindInternal, Producer: trace.SpanKindProducer, Consumer: trace.SpanKindConsumer,
}

// Child begins a span under another one of this deployment, nil when there is none above it.
func (t *Tracer) Child(parent sale.SpanContext, name string, kind Kind, began time.Time) *Span {
	if t == nil || parent.IsZero() {
		return nil
	}
	return t.start(under(context.Background(), parent), name, kinds[kind], began)
}

// usualAttributes is as many as a span usually has.
const usualAttributes = 8

func (t *Tracer) start(ctx context.Context, name string, kind trace.SpanKind, began time.Time) *Span {
	_, span := t.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(began))
	return &Span{span: span, room: t.links, attributes: make([]attribute.KeyValue, 0, usualAttributes)}
}

// under returns a context whose span is the named one.
func under(ctx context.Context, parent sale.SpanContext) context.Context {
	return trace.ContextWithRemoteSpanContext(ctx, nameOf(parent))
}

func nameOf(c sale.SpanContext) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: c.TraceID, SpanID: c.SpanID, TraceFlags: trace.FlagsSampled, Remote: true,
	})
}
