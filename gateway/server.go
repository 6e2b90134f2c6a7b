package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
	"flashsale/tracing"
)

// newServer sets the bounds of fasthttp, most of which are unlimited by default. It does not bound connections per address:
// the rules limit addresses.
func (g *Gateway) newServer() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:                      g.answer,
		ErrorHandler:                 g.failed,
		Concurrency:                  g.options.MaxConnections + 1024, // boundedListener refuses first, with a problem
		ReadBufferSize:               maxHeaderBytes,
		WriteBufferSize:              4 << 10,
		ReduceMemoryUsage:            true, // a connection without a request holds no buffers (socket.Frugal)
		MaxRequestBodySize:           maxBodyBytes,
		MaxRequestsPerConn:           maxRequestsPerConn,
		ReadTimeout:                  g.options.ReadTimeout,
		WriteTimeout:                 g.options.WriteTimeout,
		IdleTimeout:                  g.options.IdleTimeout,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
		CloseOnShutdown:              true,
		Logger:                       serverLog{g.options.Log},
	}
}

// serverLog writes fasthttp's messages at level debug. Those about a connection have the buyer's address, and errors quote what
// was read, maybe a token: of these it writes the type of the error alone.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Printf(format string, args ...any) {
	for _, arg := range args {
		if _, connection := arg.(net.Addr); connection {
			l.log.Debug("fasthttp: a connection ended with an error", slog.String("error", fmt.Sprintf("%T", args[len(args)-1])))
			return
		}
	}
	l.log.Debug("fasthttp", slog.String("message", fmt.Sprintf(format, args...)))
}

// bounded wraps a listener so that it refuses connections over the bound with a problem.
func (g *Gateway) bounded(listener net.Listener) *boundedListener {
	row := sale.OutcomeOverloaded.Row()
	answer := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nCache-Control: no-store\r\nRetry-After: 2\r\n"+
		"X-Request-Id: %soverloaded\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", row.Status,
		fasthttp.StatusMessage(row.Status), sale.ProblemType, g.requests, len(g.refusals[sale.OutcomeOverloaded]),
		g.refusals[sale.OutcomeOverloaded])
	return &boundedListener{
		Listener: listener, bound: int64(g.options.MaxConnections), answer: answer,
		slack:   min(g.options.ReadTimeout, g.options.WriteTimeout, g.options.IdleTimeout) / 10,
		refused: func() { g.metrics.purchased(nil, sale.OutcomeOverloaded) },
	}
}

// answer handles one request, and delays a late answer.
func (g *Gateway) answer(ctx *fasthttp.RequestCtx) {
	if !g.asked.Load() { // read first: a write of each request would pass the line from core to core
		g.asked.Store(true)
	}
	g.handle(ctx)
	if conn, ok := ctx.Conn().(*boundedConn); ok && conn.late {
		conn.late = false
		conn.delayAnswer(g.stopping)
	}
}

// handle answers one request. A panic ends only that request.
func (g *Gateway) handle(ctx *fasthttp.RequestCtx) {
	route := routeNone
	var at location
	var span *tracing.Span
	defer g.recovered(ctx, &route, &at, &span)
	at = locate(ctx.URI().PathOriginal())
	h := readHeaders(ctx.Request.Header.RawHeaders())
	route = routeOf(ctx, at.path)
	span = g.beginSpan(ctx, route, at.path, &h)
	var p press
	switch {
	case h.broken():
		g.metrics.purchased(nil, g.refuse(ctx, sale.OutcomeMalformed))
		hangUp(ctx)
	case route == routePurchase:
		p.begin(span)
		p.outcome = g.purchase(ctx, at, &h, &p)
		g.metrics.purchased(p.live, p.outcome)
	case route == routeNone && at.path == pathNone && g.pages != nil && (ctx.IsGet() || ctx.IsHead()):
		g.pages(ctx)
	case route == routeNone:
		g.metrics.purchased(nil, g.nowhere(ctx, at.path))
	default:
		g.serveOther(ctx, route, at, &h)
	}
	g.identify(ctx, h.ownID())
	if g.draining() && !g.calm.Load() {
		ctx.SetConnectionClose()
	}
	took := time.Since(ctx.Time())
	g.metrics.served(route, ctx.Response.StatusCode(), took, span.Context().Trace())
	g.told(ctx, route, at.path, span, &p, took)
}

// serveOther answers every request that is not a purchase.
func (g *Gateway) serveOther(ctx *fasthttp.RequestCtx, r route, at location, h *headers) {
	switch r {
	case routeOrders:
		g.ownOrders(ctx, at, h)
	case routeOrder:
		g.oneOrder(ctx, at, h)
	case routeCancel:
		g.cancelOrder(ctx, at, h)
	case routeSale:
		g.saleView(ctx, at)
	case routeTime:
		g.serverTime(ctx)
	case routeLive:
		g.live(ctx)
	case routeReady:
		g.ready(ctx)
	case routeOpenAPI:
		g.openAPI(ctx)
	default:
		panic(fmt.Sprintf("route %d has no handler", r))
	}
}

// nowhere answers a request for a path that does not exist or with a method that the path does not allow.
func (g *Gateway) nowhere(ctx *fasthttp.RequestCtx, p path) sale.Outcome {
	if p == pathNone {
		return g.refuse(ctx, sale.OutcomeNotFound)
	}
	g.refuse(ctx, sale.OutcomeMethodNotAllowed)
	ctx.Response.Header.SetCanonical(headerAllow, []byte(paths[p].allow))
	return sale.OutcomeMethodNotAllowed
}

// recovered turns a panic of a handler into a 500 and a metric.
func (g *Gateway) recovered(ctx *fasthttp.RequestCtx, r *route, at *location, span **tracing.Span) {
	fault := recover()
	if fault == nil {
		return
	}
	g.fault("request "+string(ctx.Method())+" "+string(ctx.URI().PathOriginal()), fault)
	ctx.Response.Reset()
	problem(ctx, sale.Problem{
		Status: fasthttp.StatusInternalServerError, Code: codeInternal, Title: "The gateway has failed",
		Detail: "the request may or may not have taken effect; repeat it with the same Idempotency-Key",
	})
	h := readHeaders(ctx.Request.Header.RawHeaders())
	g.identify(ctx, h.ownID())
	took, traceID := time.Since(ctx.Time()), (*span).Context().Trace()
	g.metrics.served(*r, fasthttp.StatusInternalServerError, took, traceID)
	g.endSpan(ctx, *span, &press{})
	g.access(ctx, *r, at.path, &press{}, traceID, took)
}

// failed answers a request that fasthttp could not read. It closes the connection, because the start of the next request is
// unknown.
func (g *Gateway) failed(ctx *fasthttp.RequestCtx, err error) {
	defer g.access(ctx, routeNone, pathNone, &press{}, "", 0) // when it began to arrive is not known
	g.identify(ctx, nil)
	var small *fasthttp.ErrSmallBuffer
	var network net.Error
	outcome := sale.OutcomeMalformed
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		outcome = sale.OutcomeBodyTooLarge
	case errors.As(err, &small):
		outcome = sale.OutcomeHeadersTooLarge
	case errors.As(err, &network) && network.Timeout():
		problem(ctx, sale.Problem{
			Status: fasthttp.StatusRequestTimeout, Code: codeRequestTimeout, Title: "The request took too long to arrive",
			Detail: "a request must arrive within " + strconv.Itoa(int(g.options.ReadTimeout.Seconds())) + " seconds",
		})
		hangUp(ctx)
		return
	}
	g.metrics.purchased(nil, g.refuse(ctx, outcome))
	hangUp(ctx)
}

// hangUp closes the connection after the answer and gives the peer time to read it.
func hangUp(ctx *fasthttp.RequestCtx) {
	ctx.SetConnectionClose()
	if conn, ok := ctx.Conn().(*boundedConn); ok {
		conn.lingers.Store(true)
	}
}
