package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// answerWithin is the time of a purchase in the gateway: 5 s by docs/buyers.md, less a share for the network.
const answerWithin = 4500 * time.Millisecond

// order returns an order from Redis and the catalogue, for an order without a row in the database.
func (i *liveItem) order(live *liveSale, h sale.Holding) sale.Order {
	created := h.CreatedAt
	if created.IsZero() {
		created = h.OrderID.Time()
	}
	return sale.Order{
		OrderID: h.OrderID, Status: h.Status, Sale: live.ID, SKU: i.SKU, Quantity: h.Quantity,
		UnitPriceCents: i.PriceCents, Currency: live.Currency,
		CreatedAt: sale.Time{Time: created}, UpdatedAt: sale.Time{Time: created},
		PayBy: sale.PayBy(created, live.PaymentTTL),
	}
}

// replayed answers a purchase whose key has an order already, with the present order. Without the database, Redis's state is
// enough for an order that Redis took and still counts. It is not enough for an order that Redis has from the database, or
// that Redis has released: only the database has its status.
func (g *Gateway) replayed(
	ctx *fasthttp.RequestCtx, live *liveSale, item *liveItem, p *sale.Purchase, a *sale.Answer,
) sale.Outcome {
	limit, cancel := context.WithDeadline(context.Background(), ctx.Time().Add(answerWithin))
	defer cancel()
	row, found, databaseErr := g.lookups.ask(limit, a.OrderID)
	if databaseErr != nil && a.CreatedAt.IsZero() {
		return g.refuse(ctx, sale.OutcomeUnavailable)
	}
	if !found {
		pending := sale.Holding{OrderID: a.OrderID, Quantity: a.Quantity, CreatedAt: a.CreatedAt, Status: sale.StatusHeld}
		known, err := g.holding(limit, p.Bucket, p.Buyer, a.OrderID)
		switch {
		case err == nil && known != nil:
			pending.Status = known.Status
		case databaseErr != nil:
			return g.refuse(ctx, sale.OutcomeUnavailable)
		} // otherwise held: the weakest promise, which every order without a row has
		row = g.waiters.recheckHeld(waiter{order: item.order(live, pending), bucket: p.Bucket, buyer: p.Buyer}, g.stopping)
	}
	answerOrder(ctx, a.Outcome.Row().Status, &row)
	setLocation(ctx, &row)
	return a.Outcome
}

// holding returns one order of a buyer in Redis, nil if Redis does not have it.
func (g *Gateway) holding(ctx context.Context, b sale.Bucket, buyer string, id sale.OrderID) (*sale.Holding, error) {
	ctx, cancel := context.WithTimeout(ctx, g.options.StoreTimeout)
	defer cancel()
	holdings, err := g.stock.Holdings(ctx, b, buyer)
	if err != nil {
		return nil, err
	}
	for i := range holdings {
		if holdings[i].OrderID == id {
			return &holdings[i], nil
		}
	}
	return nil, nil
}

// reader is a request of a buyer for orders of one item.
type reader struct {
	buyer   string
	request *buyerRequest // this request in the table of the buyer's requests
	live    *liveSale
	item    *liveItem
	bucket  *sale.BucketRow
	permit  permit
}

// admitReader checks the address's limit, the token, the buyer's limits, then ids, then the gateway's limits. If ok, the
// caller must call endLookup and then endRequest.
func (g *Gateway) admitReader(ctx *fasthttp.RequestCtx, at location, h *headers) (r reader, ok bool) {
	if g.overAddressLimit(ctx) {
		return r, false
	}
	now := g.stock.Now()
	if now.IsZero() { // without the time the gateway cannot verify a token
		g.refuse(ctx, sale.OutcomeUnavailable)
		return r, false
	}
	if r.buyer, ok = g.tokens.buyer(h.bearer(), now); !ok {
		g.refuse(ctx, sale.OutcomeUnauthenticated)
		return r, false
	}
	if g.overBuyerLimit(ctx, r.buyer) {
		return r, false
	}
	if r.request = g.buyerRequests.begin(r.buyer); r.request == nil {
		g.refuseLate(ctx, 0)
		return r, false
	}
	var refusal sale.Outcome
	if refusal, ok = g.admitRead(&r, at); !ok {
		g.endRequest(r)
		g.refuse(ctx, refusal)
	}
	return r, ok
}

// admitRead finds the item and its bucket and applies the limits that all readers share.
func (g *Gateway) admitRead(r *reader, at location) (refusal sale.Outcome, ok bool) {
	if r.live, r.item, refusal = g.catalogue.current.Load().find(at); r.item == nil {
		return refusal, false
	}
	r.bucket = r.item.home([]byte(r.buyer))
	if r.permit, refusal, ok = g.breakers.routes[sale.ResourceOrders].enter(); !ok {
		return refusal, false
	}
	if g.reads.Add(1) > int64(g.options.MaxReads) {
		g.endLookup(*r)
		return sale.OutcomeOverloaded, false
	}
	return 0, true
}

// owns reports whether a row belongs to the buyer and to the item of the path.
func (r *reader) owns(row *sale.Order) bool {
	return row.BuyerID == r.buyer && row.Sale == r.live.ID && row.SKU == r.item.SKU
}

// waiterOf returns the waiter for one order of the reader. A newer request of the buyer may end its wait.
func (g *Gateway) waiterOf(r reader, order sale.Order) waiter {
	return waiter{order: order, bucket: r.bucket.Bucket, buyer: r.buyer, woken: g.buyerRequests.wait(r.request)}
}

// endRequest removes the request from the table of the buyer's requests.
func (g *Gateway) endRequest(r reader) { g.buyerRequests.end(r.request) }

// endLookup ends the look-up, which then no longer counts against MaxReads and the rules.
func (g *Gateway) endLookup(r reader) {
	g.reads.Add(-1)
	r.permit.leave()
}

// ownOrders answers with a page of the buyer's orders of one SKU, oldest first. An app finds an order here whose answer was
// lost.
func (g *Gateway) ownOrders(ctx *fasthttp.RequestCtx, at location, h *headers) {
	wanted, field := pageOf(ctx)
	if field != "" {
		g.malformed(ctx, field, formOfPage)
		return
	}
	r, ok := g.admitReader(ctx, at, h)
	if !ok {
		return
	}
	defer g.endRequest(r)
	orders, refused := g.readOrders(r, wanted)
	g.endLookup(r) // before the wait: a request that waits for held orders does not count against MaxReads
	if refused != nil {
		refused(ctx)
		return
	}
	orders, next := wanted.cut(orders)
	g.waiters.recheckAllHeld(orders, g.waiterOf(r, sale.Order{}), g.stopping)
	head(ctx, fasthttp.StatusOK, typeJSON)
	ctx.Response.SetBodyRaw(appendPage(make([]byte, 0, 64+320*len(orders)), orders, next))
}

// readOrders finds the buyer's orders of a page and, if there are more, the first one of the next page. It reads Redis first,
// so that it finds an order that settles in between in the database.
func (g *Gateway) readOrders(r reader, wanted page) ([]sale.Order, refusal) {
	limit, cancel := context.WithTimeout(context.Background(), g.options.StoreTimeout)
	defer cancel()
	holdings, err := g.stock.Holdings(limit, r.bucket.Bucket, r.buyer)
	if err != nil {
		return nil, g.refusal(sale.OutcomeUnavailable)
	}
	rows, err := g.lookups.ofBuyer(limit, r, wanted.after, wanted.limit+1)
	if err != nil {
		return nil, g.refusal(sale.OutcomeUnavailable)
	}
	orders := r.merge(rows, holdings, wanted.after)
	if len(orders) == 0 && r.bucket.State != sale.BucketOpen {
		return nil, g.refusal(sale.OutcomeFenced) // during a rebuild an order may be in neither store: [] could be wrong
	}
	return orders, nil
}

// merge adds to the rows the orders with ids above after that only Redis has, and sorts by id.
func (r *reader) merge(rows []sale.Order, holdings []sale.Holding, after sale.OrderID) []sale.Order {
	for _, h := range holdings {
		if h.OrderID > after && !slices.ContainsFunc(rows, func(o sale.Order) bool { return o.OrderID == h.OrderID }) {
			rows = append(rows, r.item.order(r.live, h))
		}
	}
	slices.SortFunc(rows, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return rows
}
