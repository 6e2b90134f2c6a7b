package gateway

import (
	"crypto/rand"
	"strconv"

	"github.com/valyala/fasthttp"
)

var headerRequestID = []byte("X-Request-Id")

// maxRequestID is the greatest length of a request's id.
const maxRequestID = 64

// newRequestPrefix returns the beginning of the ids that this process gives to requests: 65 random bits, so that those of two
// processes differ.
func newRequestPrefix() []byte { return append([]byte(rand.Text()[:13]), '-') }

// identify sets the id of a request in its answer: the client's own one, or one that this process has given to no other request.
// It does not allocate.
func (g *Gateway) identify(ctx *fasthttp.RequestCtx, own []byte) {
	if !validRequestID(own) {
		var text [maxRequestID]byte
		own = strconv.AppendUint(append(text[:0], g.requests...), ctx.ID(), 36)
	}
	ctx.Response.Header.SetCanonical(headerRequestID, own)
}

// validRequestID reports whether an id is 1 to 64 of A-Za-z0-9._-, which every log and header takes unchanged.
func validRequestID(id []byte) bool {
	if len(id) == 0 || len(id) > maxRequestID {
		return false
	}
	for _, c := range id {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
