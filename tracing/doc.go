// Package tracing makes the spans of a process and sends them to a collector by OTLP.
//
// The standard OTEL_* variables of the environment set it up (Open reads them). Without them tracing is off: there is no Tracer,
// and every method of a nil *Tracer and of a nil *Span does nothing, so a caller pays one comparison.
//
// A process decides once for each trace that begins in it whether the trace is sampled, before it makes anything: a request that
// is not sampled has no span and costs one random number. A span within a trace is made exactly when the span above it was.
// What a buyer sends as traceparent is linked and decides nothing, because anybody could have every request sampled; what a
// trusted proxy sends is continued.
//
// Spans wait in a bounded queue. What does not fit, and what the collector does not take, is dropped and counted
// (flashsale_trace_spans_total); no request waits for a collector.
package tracing
