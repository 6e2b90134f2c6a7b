package bench

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// barePrefix is the path that sets the length of the bare handler's bodies.
const barePrefix = "/body/"

// bareReadBuffer is large enough for requests with a token and a key, as the gateway's is.
const bareReadBuffer = 16 << 10

// ServeBare answers every request with a body of the length last set, and does nothing else: this is the cost of a
// request without an engine. It returns when the listener is closed.
func ServeBare(listener net.Listener) error {
	return serve(listener, func(*fasthttp.RequestCtx) {})
}

// serve answers as ServeBare does, after it has run work for the request.
func serve(listener net.Listener, work func(*fasthttp.RequestCtx)) error {
	var body atomic.Pointer[[]byte]
	body.Store(new([]byte))
	server := fasthttp.Server{
		ReadBufferSize: bareReadBuffer,
		Handler: func(ctx *fasthttp.RequestCtx) {
			if length, ok := strings.CutPrefix(string(ctx.Path()), barePrefix); ok {
				setBody(ctx, &body, length)
				return
			}
			work(ctx)
			ctx.Response.SetBodyRaw(*body.Load())
		},
	}
	if err := server.Serve(listener); err != nil {
		return fmt.Errorf("serve a baseline: %w", err)
	}
	return nil
}

// maxBareBody bounds the bodies of the bare handler.
const maxBareBody = 1 << 20

func setBody(ctx *fasthttp.RequestCtx, body *atomic.Pointer[[]byte], length string) {
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n > maxBareBody {
		ctx.SetStatusCode(fasthttp.StatusBadRequest)
		return
	}
	bytes := []byte(strings.Repeat("x", n))
	body.Store(&bytes)
}
