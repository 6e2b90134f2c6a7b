package gateway

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// Header names and values that nearly every answer carries, as fasthttp wants them: canonical, as bytes.
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

// maxRetryAfter bounds Retry-After of a limit, in seconds. A limit may be edited meanwhile, so no answer asks for more.
const maxRetryAfter = 3600

// Codes of problems that are no outcome of a purchase.
const (
	codeOrderNotFound  = "order_not_found"
	codeNotConfirmed   = "not_confirmed"
	codeWrongStatus    = "wrong_status"
	codeRequestTimeout = "request_timeout"
	codeInternal       = "internal"
)

// refusals are the bodies of the problems that are the same for everybody, encoded once.
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

// refuse answers with the fixed problem of an outcome. It allocates nothing.
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

// refuseLate refuses a buyer or an address over a limit of its own, lateness after the decision: a client that asks again as
// soon as it is answered would otherwise take the processor from all other buyers. One connection waits, which is all that it
// costs. Retry-After is not before the next token, which takes as long as wait, and up to 2 s later, so that clients that are
// refused together do not return together. It allocates nothing.
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

// What may be sent, as the detail of a malformed answer says it.
const (
	formOfBody = `the body is empty, {} or {"quantity":n} with n an integer from 1 to 100`
	formOfKey  = `Idempotency-Key is given once: 1 to 128 characters of printable ASCII without " and \, in quotes or bare,` +
		` no space at its end`
	formOfWait = "wait is given once: 0s to 30s, such as 5s or 1500ms"
	formOfPage = "limit and cursor are given once each: limit an integer from 1 to 1000, cursor the next of the page before, " +
		"empty for the first page"
)

// malformed names the field at fault, a member's path or a header's name, and the form that is taken.
func (g *Gateway) malformed(ctx *fasthttp.RequestCtx, field, form string) sale.Outcome {
	return g.refuseWith(ctx, sale.OutcomeMalformed, form, sale.Member{Name: "field", Value: field})
}

// refuseEarly says when the sale starts. Before the start this is what nearly every press gets, so it is assembled from
// prepared parts and allocates nothing.
func (g *Gateway) refuseEarly(ctx *fasthttp.RequestCtx, live *liveSale, now time.Time) sale.Outcome {
	var text [32]byte
	head(ctx, sale.OutcomeNotStarted.Row().Status, typeProblem)
	wait := (live.starts - now.UnixMilli() + 999) / 1000
	if wait < 1 { // it could have been opened already: repeat soon
		wait = 1 + rand.Int64N(3)
	}
	ctx.Response.Header.SetCanonical(headerRetryAfter, strconv.AppendInt(text[:0], wait, 10))
	ctx.Response.AppendBody(live.early)
	ctx.Response.AppendBody(append(sale.AppendTime(text[:0], now), '"', '}'))
	return sale.OutcomeNotStarted
}

// earlyProblem is the not_started problem of a sale, cut where the server's time belongs.
func earlyProblem(s *sale.Sale) []byte {
	body := sale.ProblemOf(sale.OutcomeNotStarted, "", sale.Member{Name: "starts_at", Value: s.StartsAt}).Append(nil)
	return append(body[:len(body)-1], `,"server_time":"`...)
}

// problem answers with any problem.
func problem(ctx *fasthttp.RequestCtx, p sale.Problem) {
	head(ctx, p.Status, typeProblem)
	ctx.Response.SetBodyRaw(p.Append(nil))
}

// head sets what nearly every answer has: status, type and no-store.
func head(ctx *fasthttp.RequestCtx, status int, contentType []byte) {
	ctx.Response.SetStatusCode(status)
	ctx.Response.Header.SetContentTypeBytes(contentType)
	ctx.Response.Header.SetCanonical(headerCacheControl, noStore)
}

// orderBytes is room for any order: two ids of 64, three times and the words between.
const orderBytes = 512

// answerOrder answers with an order and, when it was bought by this request, where it is.
func answerOrder(ctx *fasthttp.RequestCtx, status int, o *sale.Order) {
	var text [orderBytes]byte
	head(ctx, status, typeJSON)
	ctx.Response.AppendBody(sale.AppendOrder(text[:0], o))
}

func setLocation(ctx *fasthttp.RequestCtx, o *sale.Order) {
	var text [192]byte // two ids of 64 and an order id fit
	at := append(append(text[:0], salesPrefix...), o.Sale...)
	at = append(append(append(at, '/'), itemsSegment...), o.SKU...)
	at = append(append(append(at, '/'), ordersName...), '/')
	ctx.Response.Header.SetCanonical(headerLocation, strconv.AppendInt(at, int64(o.OrderID), 10))
}
