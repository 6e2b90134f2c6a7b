package gateway

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/tracing"
)

// beginSpan begins the span of a request, nil when it is not sampled. Probes have none.
func (g *Gateway) beginSpan(ctx *fasthttp.RequestCtx, r route, p path, h *headers) *tracing.Span {
	if g.tracer == nil || r == routeNone || r == routeLive || r == routeReady {
		return nil
	}
	conn, ok := ctx.Conn().(*boundedConn)
	trusted := ok && isTrusted(conn.peer, g.options.TrustedProxies)
	span := g.tracer.Server(paths[p].template, ctx.Time(), h.caller(), trusted)
	span.Text("http.route", paths[p].template)
	return span
}

// endSpan ends the span of a request with what became of it.
func (g *Gateway) endSpan(ctx *fasthttp.RequestCtx, span *tracing.Span, p *press) {
	if span == nil {
		return
	}
	status := ctx.Response.StatusCode()
	span.Text("http.request.method", string(ctx.Method()))
	span.Number("http.response.status_code", int64(status))
	span.Text("request_id", requestIDOf(ctx))
	if p.pressed {
		span.Text("flashsale.outcome", p.outcome.String())
	}
	if p.trace != nil {
		for _, batch := range p.trace.Batches {
			span.Link(batch)
		}
	}
	if p.live != nil {
		span.Text("flashsale.sale", p.live.ID)
	}
	if p.orderID != 0 {
		span.Text("flashsale.order_id", p.orderID.String())
	}
	if p.batchID != 0 {
		span.Text("flashsale.batch", p.batchID.String())
	}
	if status >= fasthttp.StatusInternalServerError {
		span.Fail(fasthttp.StatusMessage(status))
	}
	span.End()
}

// told ends the span of a request, and writes its lines of the log: that of a press at level debug, and that of the access log
// for its share of all requests. No line has the buyer or the address.
func (g *Gateway) told(ctx *fasthttp.RequestCtx, r route, at path, span *tracing.Span, p *press, took time.Duration) {
	traceID := span.Context().Trace()
	g.endSpan(ctx, span, p)
	background := context.Background()
	if p.pressed && g.options.Log.Enabled(background, slog.LevelDebug) {
		g.options.Log.LogAttrs(background, slog.LevelDebug, "purchase", p.attributes(ctx, traceID)...)
	}
	g.access(ctx, r, at, p, traceID, took)
}

// access writes the line of the access log for its share of all requests.
func (g *Gateway) access(ctx *fasthttp.RequestCtx, r route, at path, p *press, traceID string, took time.Duration) {
	if every := g.options.AccessLogEvery; every > 0 && rand.IntN(every) == 0 {
		g.options.Log.LogAttrs(context.Background(), slog.LevelInfo, "request", append(p.attributes(ctx, traceID),
			slog.String("method", methodOf(ctx)), slog.String("route", routeNames[r]),
			slog.String("path", paths[at].template),
			slog.Int("status", ctx.Response.StatusCode()), slog.Int("bytes", len(ctx.Response.Body())),
			slog.Int64("took_us", took.Microseconds()))...)
	}
}

// otherMethod stands for a method that HTTP does not define, as OpenTelemetry has it: anybody may send kilobytes as a method.
const otherMethod = "_OTHER"

// methodOf returns the method of a request for its line of the log.
func methodOf(ctx *fasthttp.RequestCtx) string {
	switch method := string(ctx.Method()); method {
	case fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodPost, fasthttp.MethodPut, fasthttp.MethodPatch,
		fasthttp.MethodDelete, fasthttp.MethodConnect, fasthttp.MethodOptions, fasthttp.MethodTrace:
		return method
	}
	return otherMethod
}

// attributes are what every line of the log about a request says: its ids, and of a press what became of it. Ids that are not
// known are left out.
func (p *press) attributes(ctx *fasthttp.RequestCtx, traceID string) []slog.Attr {
	of := []slog.Attr{slog.String("request_id", requestIDOf(ctx))}
	if p.pressed {
		of = append(of, slog.String("outcome", p.outcome.String()))
	}
	if p.live != nil {
		of = append(of, slog.String("sale", p.live.ID))
	}
	if p.orderID != 0 {
		of = append(of, slog.String("order_id", p.orderID.String()))
	}
	if p.batchID != 0 {
		of = append(of, slog.String("batch", p.batchID.String()))
	}
	if traceID != "" {
		of = append(of, slog.String("trace_id", traceID))
	}
	return of
}
