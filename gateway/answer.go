package gateway

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// Header names and values of most answers, in the form of fasthttp: canonical, as bytes.
var (
	headerCacheControl = []byte(fasthttp.HeaderCacheControl)
	headerRetryAfter   = []byte(fasthttp.HeaderRetryAfter)
	headerChallenge    = []byte(fasthttp.HeaderWWWAuthenticate)
	headerLocation     = []byte(fasthttp.HeaderLocation)
	headerAllow        = []byte(fasthttp.HeaderAllow)
	typeProblem        = []byte(sale.ProblemType)
	typeJSON           = []byte("application/json")
	noStore            = []byte("no-store")
	bearerChallenge    = []byte("Bearer")
	soon               = [...][]byte{[]byte("1"), []byte("2"), []byte("3")}
)

// maxRetryAfter bounds Retry-After of a limit, in seconds: an operator may raise the limit in the meantime.
const maxRetryAfter = 3600

// Codes of problems that are not outcomes of a purchase.
const (
	codeOrderNotFound  = "order_not_found"
	codeNotConfirmed   = "not_confirmed"
	codeWrongStatus    = "wrong_status"
	codeRequestTimeout = "request_timeout"
	codeInternal       = "internal"
)

// refusals are the bodies of the problems without members of their own, by outcome, encoded once.
type refusals [256][]byte

func newRefusals() *refusals {
	var bodies refusals
	for _, o := range sale.Outcomes() {
		if row := o.Row(); row.Title != "" {
			bodies[o] = sale.ProblemOf(o, "").Append(nil)
		}
	}
	return &bodies
}

// unauthenticated refuses a request for its token.
func (g *Gateway) unauthenticated(ctx *fasthttp.RequestCtx, why tokenFault) sale.Outcome {
	g.metrics.tokenRefused(why)
	return g.refuse(ctx, sale.OutcomeUnauthenticated)
}

// refuse answers with the fixed problem of an outcome. It does not allocate.
func (g *Gateway) refuse(ctx *fasthttp.RequestCtx, o sale.Outcome) sale.Outcome {
	row := o.Row()
	head(ctx, row.Status, typeProblem)
	if row.RetryAfter {
		ctx.Response.Header.SetCanonical(headerRetryAfter, soon[rand.IntN(len(soon))])
	}
	if o == sale.OutcomeUnauthenticated {
		ctx.Response.Header.SetCanonical(headerChallenge, bearerChallenge)
	}
	ctx.Response.SetBodyRaw(g.refusals[o])
	return o
}

// soldOutProblem returns the sold_out problem of a SKU.
func soldOutProblem(sku string) []byte {
	return sale.ProblemOf(sale.OutcomeSoldOut, "", sale.Member{Name: fieldSKU, Value: sku}).Append(nil)
}

// refuseSoldOut answers with the prepared problem of a closed latch. Most of a crowd gets it, so it does not allocate.
func refuseSoldOut(ctx *fasthttp.RequestCtx, c *closing) {
	head(ctx, sale.OutcomeSoldOut.Row().Status, typeProblem)
	ctx.Response.SetBodyRaw(c.refusal)
}

// refuseLate refuses a buyer or an address over its own limit. The gateway sends the answer after lateness, because a client
// that repeats a request at once would otherwise take the processor from all other buyers; the delay only costs a waiting
// connection. Retry-After is the time to the next token, which is wait, plus up to 2 s, so that clients that are refused
// together do not return together. It does not allocate.
func (g *Gateway) refuseLate(ctx *fasthttp.RequestCtx, wait time.Duration) {
	if conn, ok := ctx.Conn().(*boundedConn); ok {
		conn.late = true
	}
	g.refuse(ctx, sale.OutcomeRateLimited)
	if seconds := int64((wait + time.Second - 1) / time.Second); seconds > 1 {
		var text [20]byte
		seconds = min(seconds+rand.Int64N(int64(len(soon))), maxRetryAfter)
		ctx.Response.Header.SetCanonical(headerRetryAfter, strconv.AppendInt(text[:0], seconds, 10))
	}
}

// refuseWith answers with the problem of an outcome and members of its own.
func (g *Gateway) refuseWith(ctx *fasthttp.RequestCtx, o sale.Outcome, detail string, members ...sale.Member) sale.Outcome {
	problem(ctx, sale.ProblemOf(o, detail, members...))
	if o.Row().RetryAfter {
		ctx.Response.Header.SetCanonical(headerRetryAfter, soon[rand.IntN(len(soon))])
	}
	return o
}

// Valid forms, for the detail of a malformed answer.
const (
	formOfBody  = `the body must be empty, {} or {"quantity":n} with n an integer from 1 to 100`
	formOfLines = `the body must be {"lines":[{"sku":"…","quantity":n},…]} with 1 to 20 lines of distinct SKUs, ` +
		`n an integer from 1 to 100, 1 where it is left out`
	formOfKey = `Idempotency-Key may occur once: 1 to 128 characters of printable ASCII without " and \, quoted or bare,` +
		` with no space at the end`
	formOfWait = "wait may occur once: 0s to 30s, such as 5s or 1500ms"
	formOfPage = "limit and cursor may occur once each: limit is an integer from 1 to 1000, cursor is next of the page before, " +
		"or empty for the first page"
)

// malformed answers with the invalid field, which is the path of a member or the name of a header, and the valid form.
func (g *Gateway) malformed(ctx *fasthttp.RequestCtx, field, form string) sale.Outcome {
	return g.refuseWith(ctx, sale.OutcomeMalformed, form, sale.Member{Name: "field", Value: field})
}

// refuseEarly answers not_started with the start of the sale. Before the start most purchase requests get this answer, so
// refuseEarly joins prepared parts and does not allocate.
func (g *Gateway) refuseEarly(ctx *fasthttp.RequestCtx, live *liveSale, now time.Time) sale.Outcome {
	var text [32]byte
	head(ctx, sale.OutcomeNotStarted.Row().Status, typeProblem)
	wait := (live.starts - now.UnixMilli() + 999) / 1000
	if wait < 1 { // the start is over, but an operator has not opened the sale: repeat soon
		wait = 1 + rand.Int64N(3)
	}
	ctx.Response.Header.SetCanonical(headerRetryAfter, strconv.AppendInt(text[:0], wait, 10))
	ctx.Response.AppendBody(live.early)
	ctx.Response.AppendBody(append(sale.AppendTime(text[:0], now), '"', '}'))
	return sale.OutcomeNotStarted
}

// earlyProblem returns the not_started problem of a sale up to the server's time.
func earlyProblem(s *sale.Sale) []byte {
	body := sale.ProblemOf(sale.OutcomeNotStarted, "", sale.Member{Name: "starts_at", Value: s.StartsAt}).Append(nil)
	return append(body[:len(body)-1], `,"server_time":"`...)
}

// problem answers with any problem.
func problem(ctx *fasthttp.RequestCtx, p sale.Problem) {
	head(ctx, p.Status, typeProblem)
	ctx.Response.SetBodyRaw(p.Append(nil))
}

// head sets the status, the content type and no-store.
func head(ctx *fasthttp.RequestCtx, status int, contentType []byte) {
	ctx.Response.SetStatusCode(status)
	ctx.Response.Header.SetContentTypeBytes(contentType)
	ctx.Response.Header.SetCanonical(headerCacheControl, noStore)
}

// answerOrder answers with an order, which is written into the response's own buffer.
func answerOrder(ctx *fasthttp.RequestCtx, status int, o *sale.Order) {
	head(ctx, status, typeJSON)
	ctx.Response.SwapBody(sale.AppendOrder(ctx.Response.SwapBody(nil)[:0], o))
}

// setLocation sets the Location header to the path of an order, in the form of the request's path.
func setLocation(ctx *fasthttp.RequestCtx, at location, id sale.OrderID) {
	var text [192]byte // enough for two ids of 64 bytes and an order id
	to := append(append(append(text[:0], salesPrefix...), at.sale...), '/')
	if len(at.sku) > 0 {
		to = append(append(append(to, itemsSegment...), at.sku...), '/')
	}
	to = append(append(to, ordersName...), '/')
	ctx.Response.Header.SetCanonical(headerLocation, strconv.AppendInt(to, int64(id), 10))
}
