package gateway

import (
	_ "embed"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// openAPIDocument describes this listener (OpenAPI 3.1). A test compares it with the router and the outcome table.
//
//go:embed openapi.json
var openAPIDocument []byte

var noCache = []byte("no-cache")

// live answers while the process runs.
func (g *Gateway) live(ctx *fasthttp.RequestCtx) {
	head(ctx, fasthttp.StatusOK, typeJSON)
	ctx.Response.SetBodyString(`{"status":"ok"}`)
}

// ready answers 200 if Ready is empty, else 503. It does not show what the gateway waits for, because that contains addresses
// and names that buyers must not see; the operators' listener shows it.
func (g *Gateway) ready(ctx *fasthttp.RequestCtx) {
	if len(g.Ready()) > 0 {
		g.refuseWith(ctx, sale.OutcomeUnavailable, "the gateway is not ready")
		return
	}
	head(ctx, fasthttp.StatusOK, typeJSON)
	ctx.Response.SetBodyString(`{"status":"ok"}`)
}

func (g *Gateway) openAPI(ctx *fasthttp.RequestCtx) {
	head(ctx, fasthttp.StatusOK, typeJSON)
	ctx.Response.Header.SetCanonical(headerCacheControl, noCache)
	ctx.Response.SetBodyRaw(openAPIDocument)
}
