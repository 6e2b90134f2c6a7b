package gateway

import (
	"context"
	"encoding/json"
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

// saleView is the rendered parts of a sale's view that do not change with every request. It is valid for one generation of
// latches.
type saleView struct {
	generation uint64
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
	view := live.view(g.latchWatcher.generation.Load())
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
func (s *liveSale) view(generation uint64) *saleView {
	if view := s.rendered.Load(); view != nil && view.generation == generation {
		return view
	}
	name, err := json.Marshal(s.Name)
	if err != nil {
		panic(fmt.Sprintf("encode name %q of sale %s: %v", s.Name, s.ID, err)) // strings always encode
	}
	view := &saleView{
		generation: generation,
		head:       fmt.Appendf(nil, `{"sale":"%s","name":%s,"state":"`, s.ID, name),
		middle:     fmt.Appendf(nil, `","starts_at":"%s","ends_at":"%s","server_time":"`, s.StartsAt, s.EndsAt),
		tail:       fmt.Appendf(nil, `","currency":"%s","items":[`, s.Currency),
	}
	for i, item := range s.shown {
		if i > 0 {
			view.tail = append(view.tail, ',')
		}
		view.tail = append(append(append(view.tail, `{"sku":"`...), item.SKU...), `","price_cents":`...)
		view.tail = strconv.AppendInt(view.tail, item.PriceCents, 10)
		view.tail = strconv.AppendBool(append(view.tail, `,"sold_out":`...), item.latch.all())
		view.tail = append(view.tail, '}')
	}
	view.tail = append(view.tail, ']', '}')
	s.rendered.Store(view)
	return view
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

// Bounds of the looks for viewers.
const (
	watchedQueue  = 16
	watchInterval = time.Second
)

// viewers updates sold_out on a gateway that gets views of a sale and no purchases: it looks at the stock of a sale with
// viewers once a second.
type viewers struct {
	latchWatcher *latchWatcher
	watched      chan *liveSale
}

func newViewers(w *latchWatcher) *viewers {
	return &viewers{latchWatcher: w, watched: make(chan *liveSale, watchedQueue)}
}

// watch orders a look unless there was one in the last second. It never blocks.
func (v *viewers) watch(live *liveSale, now time.Time) {
	last := live.looked.Load()
	if ms := now.UnixMilli(); ms-last < watchInterval.Milliseconds() || !live.looked.CompareAndSwap(last, ms) {
		return
	}
	select {
	case v.watched <- live:
	default: // the queue is full: a view after the next second orders again
	}
}

// look closes the latches of empty SKUs, like a sold-out answer to a purchase does. It looks at looksPerRound buckets of a
// sale at most; of a larger sale, at those of the first items.
func (v *viewers) look(ctx context.Context, live *liveSale) error {
	var items []*liveItem
	var buckets []sale.Bucket
	for _, item := range live.shown {
		if len(buckets)+len(item.buckets) <= looksPerRound && item.whole() && item.latch.closed.Load() == 0 {
			items, buckets = append(items, item), item.appendBuckets(buckets)
		}
	}
	if len(items) == 0 {
		return nil
	}
	readings, err := v.latchWatcher.read(ctx, buckets)
	if err != nil {
		return err
	}
	for _, item := range items {
		empty := item.emptyIn(readings)
		readings = readings[len(item.buckets):]
		if empty && len(item.buckets) > 1 { // a transfer may have units on their way to another bucket
			if empty, err = v.latchWatcher.confirm(ctx, item); err != nil {
				return err
			}
		}
		if empty {
			v.latchWatcher.soldOut(item.latch)
		}
	}
	return nil
}

func (i *liveItem) appendBuckets(buckets []sale.Bucket) []sale.Bucket {
	for n := range i.buckets {
		buckets = append(buckets, i.buckets[n].Bucket)
	}
	return buckets
}

// emptyIn reports whether the item's buckets, which have the first readings, are empty in the epochs of the catalogue.
func (i *liveItem) emptyIn(readings []sale.Reading) bool {
	for n := range i.buckets {
		if readings[n].Available != 0 || readings[n].Epoch != i.buckets[n].Epoch {
			return false
		}
	}
	return true
}
