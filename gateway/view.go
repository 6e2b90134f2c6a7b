package gateway

import (
	"fmt"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// publicSecond lets caches in front of the gateway answer viewers of a sale.
var publicSecond = []byte("public, max-age=1")

// states are the values of `state` in the sale view.
var states = [...]string{phaseUpcoming: "upcoming", phaseOpen: "open", phasePaused: "paused", phaseEnded: "ended"}

// Bounds of rendering a view: one of many items is rendered at most once in viewRest, also while latches close and open.
const (
	manyItems = 500
	viewRest  = 100 * time.Millisecond
)

// saleView is the rendered parts of a sale's view that do not change with every request. It is valid for one generation of
// the sale's latches, and that of many items for viewRest.
type saleView struct {
	generation uint64
	made       time.Time
	head       []byte // up to the state
	middle     []byte // from the state to the server's time
	tail       []byte // after it
}

// saleView answers with the public view of a sale. It needs no token.
func (g *Gateway) saleView(ctx *fasthttp.RequestCtx, at location) {
	catalogue := g.catalogue.current.Load()
	if catalogue == nil {
		g.refuse(ctx, sale.OutcomeUnavailable)
		return
	}
	live := catalogue.visible(at.sale)
	if live == nil {
		g.refuse(ctx, sale.OutcomeSaleNotFound)
		return
	}
	permit, refusal, ok := g.breakers.routes[sale.ResourceSale].enter()
	if !ok {
		g.refuse(ctx, refusal)
		return
	}
	defer permit.leave()
	now := g.stock.Now()
	if now.IsZero() {
		g.refuse(ctx, sale.OutcomeUnavailable)
		return
	}
	view := live.view(now)
	phase := live.phaseAt(now)
	if phase == phaseOpen {
		g.viewers.watch(live, now)
	}
	head(ctx, fasthttp.StatusOK, typeJSON)
	ctx.Response.Header.SetCanonical(headerCacheControl, publicSecond)
	var text [32]byte
	ctx.Response.AppendBody(view.head)
	ctx.Response.AppendBodyString(states[phase])
	ctx.Response.AppendBody(view.middle)
	ctx.Response.AppendBody(sale.AppendTime(text[:0], now))
	ctx.Response.AppendBody(view.tail)
}

// view returns the rendered parts. It renders them again if a latch has opened or closed since.
func (s *liveSale) view(now time.Time) *saleView {
	generation := s.latches.generation.Load()
	view := s.rendered.Load()
	if view != nil && (view.generation == generation || len(s.shown) > manyItems && now.Before(view.made.Add(viewRest))) {
		return view
	}
	view = &saleView{
		generation: generation, made: now,
		head:   append(sale.AppendText(fmt.Appendf(nil, `{"sale":"%s","name":`, s.ID), s.Name), `,"state":"`...),
		middle: fmt.Appendf(nil, `","starts_at":"%s","ends_at":"%s","server_time":"`, s.StartsAt, s.EndsAt),
		tail: fmt.Appendf(nil, `","currency":"%s","per_buyer_sale_limit":%d,"items":[`,
			s.Currency, s.SaleLimit),
	}
	for i, item := range s.shown {
		if i > 0 {
			view.tail = append(view.tail, ',')
		}
		view.tail = item.appendView(view.tail)
	}
	view.tail = append(view.tail, ']', '}')
	s.rendered.Store(view)
	return view
}

func (i *liveItem) appendView(dst []byte) []byte {
	dst = append(append(append(dst, `{"sku":"`...), i.SKU...), `","name":`...)
	dst = append(sale.AppendText(dst, i.Name), `,"price_cents":`...)
	dst = strconv.AppendInt(dst, i.PriceCents, 10)
	return append(strconv.AppendBool(append(dst, `,"sold_out":`...), i.latch.soldOut()), '}')
}

// serverTime answers with the time of Redis's clock, by which sales open and close.
func (g *Gateway) serverTime(ctx *fasthttp.RequestCtx) {
	permit, refusal, ok := g.breakers.routes[sale.ResourceSale].enter()
	if !ok {
		g.refuse(ctx, refusal)
		return
	}
	defer permit.leave()
	now := g.stock.Now()
	if now.IsZero() {
		g.refuse(ctx, sale.OutcomeUnavailable)
		return
	}
	var text [64]byte
	head(ctx, fasthttp.StatusOK, typeJSON)
	ctx.Response.AppendBody(append(sale.AppendTime(append(text[:0], `{"server_time":"`...), now), '"', '}'))
}
