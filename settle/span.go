package settle

import (
	"context"
	"log/slog"
	"time"

	"github.com/IBM/sarama"

	"flashsale/sale"
	"flashsale/tracing"
)

// spanOf returns the span that sent a record, zero for none, for a malformed one and for one that is not sampled.
func spanOf(message *sarama.ConsumerMessage) sale.SpanContext {
	for _, header := range message.Headers {
		if string(header.Key) != sale.Traceparent {
			continue
		}
		if of, sampled, ok := sale.ParseTraceparent(header.Value); ok && sampled {
			return of
		}
	}
	return sale.SpanContext{}
}

// spans are the spans of one call of settle: one for each sampled record, under the span that sent it. The SQL runs under the
// first one, to which the others are linked, because one transaction settles records of many traces.
type spans []*tracing.Span

// beginSpans begins the spans of the records, and returns the context for the transaction.
func (s *settling) beginSpans(ctx context.Context, records []record) (context.Context, spans) {
	if s.tracer == nil {
		return ctx, nil
	}
	var begun spans
	now := time.Now()
	for i := range records {
		span := s.tracer.Child(records[i].Under, "settle", tracing.Consumer, now)
		if span == nil {
			continue
		}
		span.Text("messaging.system", "kafka")
		span.Number("messaging.destination.partition.id", int64(records[i].Partition))
		span.Number("messaging.kafka.offset", records[i].Offset)
		span.Number("flashsale.records", int64(len(records)))
		if batch := records[i].Record.Batch; batch != nil {
			span.Text("flashsale.batch", batch.BatchID.String())
			span.Number("flashsale.orders", int64(len(batch.Orders)))
		}
		begun = append(begun, span)
	}
	if len(begun) == 0 {
		return ctx, nil
	}
	for _, span := range begun[1:] {
		span.Link(begun[0].Context())
		begun[0].Link(span.Context())
	}
	return begun[0].Into(ctx), begun
}

func (s spans) end(err error) {
	for _, span := range s {
		span.FailWith(err)
		span.End()
	}
}

// tell writes the line of each settled batch at level debug.
func (s *settling) tell(deliveries []sale.Delivery) {
	background := context.Background()
	if !s.log.Enabled(background, slog.LevelDebug) {
		return
	}
	for i := range deliveries {
		d := &deliveries[i]
		if d.Record.Batch == nil {
			continue
		}
		of := []slog.Attr{
			slog.String("bucket", d.Record.Batch.Bucket.String()), slog.String("batch", d.Record.Batch.BatchID.String()),
			slog.Int("orders", len(d.Record.Batch.Orders)), slog.Int("partition", int(d.Partition)),
			slog.Int64("offset", d.Offset),
		}
		if trace := d.Under.Trace(); trace != "" {
			of = append(of, slog.String("trace_id", trace))
		}
		s.log.LogAttrs(background, slog.LevelDebug, "batch settled", of...)
	}
}
