package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"flashsale/sale"
)

// Span is a span of a sampled trace. A nil Span does nothing. Event and Fail may be called by any goroutine,
// the other methods by one at a time.
type Span struct {
	span       trace.Span
	attributes []attribute.KeyValue // given to the library together, at the end: each call costs it a lock and a copy
	room       int                  // links that it still keeps
	leftOut    int                  // links that it did not keep
}

// Context names the span, zero for nil.
func (s *Span) Context() sale.SpanContext {
	if s == nil {
		return sale.SpanContext{}
	}
	of := s.span.SpanContext()
	return sale.SpanContext{TraceID: of.TraceID(), SpanID: of.SpanID()}
}

// Current names the span of a context, zero for none.
func Current(ctx context.Context) sale.SpanContext {
	of := trace.SpanContextFromContext(ctx)
	return sale.SpanContext{TraceID: of.TraceID(), SpanID: of.SpanID()}
}

// Into returns a context whose span it is: the SQL that runs with the context becomes its children.
func (s *Span) Into(ctx context.Context) context.Context {
	if s == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.span)
}

// Link links another span. A span keeps as many links as OTEL_SPAN_LINK_COUNT_LIMIT allows (128), the first ones; the number of
// the others becomes an attribute. The library would keep the last ones and would not say how many are missing.
func (s *Span) Link(to sale.SpanContext) {
	switch {
	case s == nil || to.IsZero():
	case s.room == 0:
		s.leftOut++
	default:
		s.room--
		s.span.AddLink(trace.Link{SpanContext: nameOf(to)})
	}
}

// Text sets an attribute.
func (s *Span) Text(key, value string) {
	if s != nil {
		s.attributes = append(s.attributes, attribute.String(key, value))
	}
}

// Number sets an attribute.
func (s *Span) Number(key string, value int64) {
	if s != nil {
		s.attributes = append(s.attributes, attribute.Int64(key, value))
	}
}

// Event notes that something happened during the span.
func (s *Span) Event(name string) {
	if s != nil {
		s.span.AddEvent(name)
	}
}

// Fail marks the span as failed. The error's text is left out, because it may contain values of rows; the log has it.
func (s *Span) Fail(what string) {
	if s != nil {
		s.span.SetStatus(codes.Error, what)
	}
}

// FailWith marks the span as failed when there is an error.
func (s *Span) FailWith(err error) {
	if err != nil {
		s.Fail("failed")
	}
}

// End ends the span now.
func (s *Span) End() { s.EndAt(time.Now()) }

// EndAt ends the span at a moment.
func (s *Span) EndAt(at time.Time) {
	if s == nil {
		return
	}
	if s.leftOut > 0 {
		s.attributes = append(s.attributes, keyLinksLeftOut.Int(s.leftOut))
	}
	s.span.SetAttributes(s.attributes...)
	s.span.End(trace.WithTimestamp(at))
}

// keyLinksLeftOut is the attribute with the number of links that a span did not keep.
const keyLinksLeftOut = attribute.Key("flashsale.links_left_out")
