package gateway

import (
	"crypto/rand"
	"strconv"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

var headerRequestID = []byte("X-Request-Id")

// newRequestPrefix returns the beginning of the ids that this process gives to requests: 65 random bits, so that those of two
// processes differ.
func newRequestPrefix() []byte { return append([]byte(rand.Text()[:13]), '-') }

// identify sets the id of a request in its answer: the client's own one, or one that this process has given to no other request.
// It does not allocate.
func (g *Gateway) identify(ctx *fasthttp.RequestCtx, own []byte) {
	if !sale.ValidRequestID(own) {
		var text [sale.MaxRequestIDBytes]byte
		own = strconv.AppendUint(append(text[:0], g.requests...), ctx.ID(), 36)
	}
	ctx.Response.Header.SetCanonical(headerRequestID, own)
}

// requestIDOf returns the id that identify has set.
func requestIDOf(ctx *fasthttp.RequestCtx) string {
	return string(ctx.Response.Header.PeekBytes(headerRequestID))
}
