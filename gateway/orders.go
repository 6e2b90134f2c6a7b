package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// answerWithin is how long a purchase may take in all; the contract says 5 s and the network wants its share.
const answerWithin = 4500 * time.Millisecond

// order is an order as Redis and the catalogue know it, before the database has its row.
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

// replayed answers a key that has its order already: with the order as it is now. Without the database, what Redis knows
// is still true of an order that Redis has seen being taken and still counts. Of one that only the database knew, or that
// has been released, it is not: only the database says what became of it.
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
		held := sale.Holding{OrderID: a.OrderID, Quantity: a.Quantity, CreatedAt: a.CreatedAt, Status: sale.StatusHeld}
		known, err := g.holding(limit, p.Bucket, p.Buyer, a.OrderID)
		switch {
		case err == nil && known != nil:
			held.Status = known.Status
		case databaseErr != nil:
			return g.refuse(ctx, sale.OutcomeUnavailable)
		} // otherwise held: the weakest word, and true of every order that has no row yet
		row = g.waiters.recheckHeld(waiter{order: item.order(live, held), bucket: p.Bucket, buyer: p.Buyer}, g.stopping)
	}
	answerOrder(ctx, a.Outcome.Row().Status, &row)
	setLocation(ctx, &row)
	return a.Outcome
}

// holding returns what Redis knows of one order, nil when it knows nothing.
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

// reader is a buyer who reads his orders of one item.
type reader struct {
	buyer   string
	request *buyerRequest // this one, among those of the buyer
	live    *liveSale
	item    *liveItem
	bucket  *sale.BucketRow
	permit  permit
}

// admitReader checks the address's limit, the token, the buyer's limits, then ids, then the gateway's limits. Where ok,
// endLookup must follow, and then endRequest.
func (g *Gateway) admitReader(ctx *fasthttp.RequestCtx, at location, h *headers) (r reader, ok bool) {
	if g.overAddressLimit(ctx) {
		return r, false
	}
	now := g.stock.Now()
	if now.IsZero() { // whether a token is good depends on the time
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

// admitRead finds what is to be read and applies the limits that all readers share.
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

// owns reports whether a row is the caller's, and of the item that the path names.
func (r *reader) owns(row *sale.Order) bool {
	return row.BuyerID == r.buyer && row.Sale == r.live.ID && row.SKU == r.item.SKU
}

// waiterOf is the reader as he waits for one of his orders, until a newer request of his ends the wait.
func (g *Gateway) waiterOf(r reader, order sale.Order) waiter {
	return waiter{order: order, bucket: r.bucket.Bucket, buyer: r.buyer, woken: g.buyerRequests.wait(r.request)}
}

// endRequest ends the request among those of the buyer, when he has been answered.
func (g *Gateway) endRequest(r reader) { g.buyerRequests.end(r.request) }

// endLookup ends the look-up among those under way in the gateway.
func (g *Gateway) endLookup(r reader) {
	g.reads.Add(-1)
	r.permit.leave()
}

// ownOrders answers with a page of the caller's orders of one SKU, oldest first: how an app finds an order whose answer was
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
	g.endLookup(r) // before the wait: one who waits for held orders does not count against MaxReads
	if refused != nil {
		refused(ctx)
		return
	}
	orders, next := wanted.cut(orders)
	g.waiters.recheckAllHeld(orders, g.waiterOf(r, sale.Order{}), g.stopping)
	head(ctx, fasthttp.StatusOK, typeJSON)
	ctx.Response.SetBodyRaw(appendPage(make([]byte, 0, 64+320*len(orders)), orders, next))
}

// readOrders finds the caller's orders of a page and, where there are more, the first of the next one. Redis is read first:
// an order that moves on in between is then seen in the database.
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
		return nil, g.refusal(sale.OutcomeFenced) // an order may be on its way that neither store shows: silence would be a lie
	}
	return orders, nil
}

// merge adds to the rows the orders after one that only Redis knows.
func (r *reader) merge(rows []sale.Order, holdings []sale.Holding, after sale.OrderID) []sale.Order {
	for _, h := range holdings {
		if h.OrderID > after && !slices.ContainsFunc(rows, func(o sale.Order) bool { return o.OrderID == h.OrderID }) {
			rows = append(rows, r.item.order(r.live, h))
		}
	}
	slices.SortFunc(rows, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return rows
}
