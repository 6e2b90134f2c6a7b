package tracing

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"flashsale/role"
)

// varQueue is the variable with the bound of the queue, in spans.
const varQueue = "OTEL_BSP_MAX_QUEUE_SIZE"

// counts are the spans that have ended, by what became of them.
type counts struct {
	spans                     *prometheus.CounterVec
	exported, failed, dropped prometheus.Counter
}

func newCounts() *counts {
	c := &counts{spans: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flashsale_trace_spans_total",
		Help: "Spans that the collector took (exported), that it did not take (failed), and that found the queue full (dropped).",
	}, []string{"result"})}
	c.exported, c.failed = c.spans.WithLabelValues("exported"), c.spans.WithLabelValues("failed")
	c.dropped = c.spans.WithLabelValues("dropped")
	return c
}

// queue is the library's batch processor behind a bound that counts what it drops: the library drops without telling how many.
// A span counts as waiting until the export that has it ends, so the library's own queue never fills.
type queue struct {
	sdktrace.SpanProcessor
	waiting *atomic.Int64
	bound   int64
	counts  *counts
}

func newQueue(exporter sdktrace.SpanExporter, c *counts, log *slog.Logger) *queue {
	bound := sdktrace.DefaultMaxQueueSize
	if asked, err := strconv.Atoi(strings.TrimSpace(os.Getenv(varQueue))); err == nil && asked > 0 {
		bound = asked
	}
	q := &queue{waiting: new(atomic.Int64), bound: int64(bound), counts: c}
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor(
		&countingExporter{SpanExporter: exporter, waiting: q.waiting, counts: c,
			taking: role.Health{Failing: "the collector does not take spans; they are lost",
				Working: "the collector takes spans again", Log: log},
			content: role.Health{Failing: "the collector took all spans and has a remark",
				Working: "the collector has no remark any more", Log: log},
		}, sdktrace.WithMaxQueueSize(bound))
	return q
}

// OnEnd queues a span or drops it; it never blocks.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if q.waiting.Add(1) > q.bound {
		q.waiting.Add(-1)
		q.counts.dropped.Inc()
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// countingExporter counts what the collector took. It logs the errors itself: the library would write them to stderr by a handler
// that all tracers of the program share.
type countingExporter struct {
	sdktrace.SpanExporter
	waiting *atomic.Int64
	counts  *counts
	taking  role.Health // whether the collector takes every span
	content role.Health // whether it has nothing to remark
}

// ExportSpans sends a batch and never fails: spans that the collector did not take are lost.
func (e *countingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.waiting.Add(-int64(len(spans)))
	lost := 0
	if err != nil {
		lost = lostOf(len(spans), err)
	}
	e.counts.failed.Add(float64(lost))
	e.counts.exported.Add(float64(len(spans) - lost))
	if err != nil {
		err = errors.New(clipped(err))
	}
	if lost > 0 {
		e.taking.Note(context.Background(), err)
		return nil
	}
	e.taking.Note(context.Background(), nil)
	e.content.Note(context.Background(), err)
	return nil
}

// partial is how the exporters end the error of a batch that the collector took in part, or took with a remark. The type of
// that error is internal to each of them.
var partial = regexp.MustCompile(`^traces export: OTLP partial success: (?s:.*) \((-?\d+) spans rejected\)$`)

// lostOf returns how many spans of a batch an error means to be lost.
func lostOf(batch int, err error) int {
	if found := partial.FindStringSubmatch(err.Error()); found != nil {
		if rejected, err := strconv.Atoi(found[1]); err == nil {
			return min(max(0, rejected), batch)
		}
	}
	return batch
}

// maxSaid bounds what the log has of a collector's answer, which may be a whole page of a proxy's.
const maxSaid = 1 << 10

func clipped(err error) string {
	text := err.Error()
	if len(text) <= maxSaid {
		return text
	}
	return strings.ToValidUTF8(text[:maxSaid], "") + "…"
}
