package reserve

import (
	"context"
	"log/slog"
	"time"

	"flashsale/scripts"
	"flashsale/tracing"
)

// beginSpan begins the span of a batch with sampled purchases: under the first of them, linked to each, and each to it. A batch
// without one has no span. Every request's trace is written before the request is answered.
func (w *batchWorker) beginSpan() {
	w.span = nil
	if w.engine.Tracer == nil {
		return
	}
	sampled := 0
	for _, r := range w.batch {
		trace := r.purchase.Trace
		if trace == nil {
			continue
		}
		if sampled++; w.span == nil {
			w.span = w.engine.Tracer.Child(trace.Span, "reserve", tracing.Internal, time.Now())
		}
		w.span.Link(trace.Span)
		trace.Batches = append(trace.Batches, w.span.Context())
	}
	if w.span == nil {
		return
	}
	w.span.Text("flashsale.bucket", w.queue.bucket.String())
	w.span.Number("flashsale.purchases", int64(len(w.batch)))
	w.span.Number("flashsale.purchases_sampled", int64(sampled))
}

// endSpan ends the span of a batch when Redis has decided it and the verdicts are read, or when it could not. A call that took
// no order has no batch id.
func (w *batchWorker) endSpan(reply scripts.ReserveReply, end ending) {
	if w.span == nil {
		return
	}
	if end.ran {
		w.span.Number("flashsale.epoch", reply.Epoch)
		w.span.Number("flashsale.sequence", reply.Sequence)
	}
	if !end.decided {
		w.span.Text("flashsale.outcome", end.answer.Outcome.String())
		w.span.Fail("the batch was not decided")
	} else if len(w.publications) > 0 {
		w.span.Text("flashsale.batch", w.publications[0].batchID.String())
	}
	w.span.End()
}

// beginPublish begins the span of a record on its way to Kafka.
func (p *publication) beginPublish() {
	if p.under.IsZero() {
		return
	}
	e := p.queue.engine
	p.span = e.Tracer.Child(p.under, "publish "+e.Topic, tracing.Producer, time.Now())
	p.span.Text("messaging.system", "kafka")
	p.span.Text("messaging.destination.name", e.Topic)
	p.span.Number("messaging.destination.partition.id", int64(p.queue.partition))
	p.span.Text("flashsale.batch", p.batchID.String())
	p.span.Number("flashsale.orders", int64(len(p.indexes)))
}

// tell writes the line of a batch at level debug: what the script took, or what Kafka has acknowledged.
func (p *publication) tell(message string) {
	log, background := p.queue.engine.Log, context.Background()
	if p.batchID == 0 { // a transfer has no orders
		return
	}
	if !log.Enabled(background, slog.LevelDebug) {
		return
	}
	of := []slog.Attr{
		slog.String("bucket", p.queue.bucket.String()), slog.String("batch", p.batchID.String()),
		slog.Int("orders", len(p.indexes)), slog.Int64("epoch", p.Epoch), slog.Int64("sequence", p.Sequence),
	}
	if trace := p.under.Trace(); trace != "" {
		of = append(of, slog.String("trace_id", trace))
	}
	log.LogAttrs(background, slog.LevelDebug, message, of...)
}
