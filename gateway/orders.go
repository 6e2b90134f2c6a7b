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

// order returns an order from Redis and the catalogue, for an order without a row in the database. The lines have SKUs and
// prices already.
func (s *liveSale) order(h sale.Holding) sale.Order {
	created := h.CreatedAt
	if created.IsZero() {
		created = h.OrderID.Time()
	}
	return sale.Order{
		OrderID: h.OrderID, Status: h.Status, Sale: s.ID, Lines: h.Lines, Currency: s.Currency,
		CreatedAt: sale.Time{Time: created}, UpdatedAt: sale.Time{Time: created},
		PayBy: sale.PayBy(created, s.PaymentTTL),
	}
}

// held returns an order that Redis has. Redis names items by number, and the catalogue knows their SKUs and prices. ok is
// false if the catalogue does not have an item yet, which another gateway has sold already.
func (s *liveSale) held(h sale.Holding) (order sale.Order, ok bool) {
	lines := make([]sale.Line, len(h.Lines))
	for i, line := range h.Lines {
		item := s.numbers[line.Number]
		if item == nil {
			return order, false
		}
		lines[i] = item.line(line.Quantity)
	}
	h.Lines = lines
	return s.order(h), true
}

// replayed answers a purchase whose key has an order already, with the present order. While the database does not answer it is
// unavailable: only the database knows whether the order has a row, and the buyer may have been told so.
func (g *Gateway) replayed(
	ctx *fasthttp.RequestCtx, at location, live *liveSale, p *sale.Purchase, a *sale.Answer,
) sale.Outcome {
	limit, cancel := context.WithDeadline(context.Background(), ctx.Time().Add(answerWithin))
	defer cancel()
	row, found, err := g.lookups.ask(limit, a.OrderID)
	if err != nil { // the buyer may have been told of a row: what Redis knows of the order could be older than that
		return g.refuse(ctx, sale.OutcomeUnavailable)
	}
	if !found {
		pending := sale.Holding{OrderID: a.OrderID, Lines: p.Lines, CreatedAt: a.CreatedAt, Status: sale.StatusHeld}
		known, err := g.holding(limit, p.Bucket, p.Buyer, a.OrderID)
		if err == nil && known != nil {
			pending.Status = known.Status
		} // otherwise held: the weakest promise, which every order without a row has
		row = g.waiters.recheckHeld(waiter{order: live.order(pending), bucket: p.Bucket, buyer: p.Buyer}, g.stopping)
	}
	answerOrder(ctx, a.Outcome.Row().Status, &row)
	setLocation(ctx, at, a.OrderID)
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

// reader is a request of a buyer for orders of a sale or, if the path names a SKU, for those that contain it.
type reader struct {
	buyer   string
	request *buyerRequest // this request in the table of the buyer's requests
	live    *liveSale
	item    *liveItem // nil: all items of the sale
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
	var fault tokenFault
	if r.buyer, fault = g.tokens.buyer(h.bearer(), now); fault != 0 {
		g.unauthenticated(ctx, fault)
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

// admitRead finds the sale, the item and the buyer's bucket and applies the limits that all readers share.
func (g *Gateway) admitRead(r *reader, at location) (refusal sale.Outcome, ok bool) {
	if r.live, r.item, refusal = g.catalogue.current.Load().find(at); r.live == nil {
		return refusal, false
	}
	r.bucket = r.live.home([]byte(r.buyer))
	if r.permit, refusal, ok = g.breakers.routes[sale.ResourceOrders].enter(); !ok {
		return refusal, false
	}
	if g.reads.Add(1) > int64(g.options.MaxReads) {
		g.endLookup(*r)
		return sale.OutcomeOverloaded, false
	}
	return 0, true
}

// owns reports whether a row belongs to the buyer and to the sale of the path, and contains the item of the path.
func (r *reader) owns(row *sale.Order) bool {
	return row.BuyerID == r.buyer && row.Sale == r.live.ID && (r.item == nil || row.Has(r.item.SKU))
}

// covers reports whether an order in Redis contains the item of the path.
func (r *reader) covers(h *sale.Holding) bool {
	return r.item == nil || slices.ContainsFunc(h.Lines, func(line sale.Line) bool { return line.Number == r.item.Number })
}

// sku returns the SKU of the path, empty if the path names none.
func (r *reader) sku() string {
	if r.item == nil {
		return ""
	}
	return r.item.SKU
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

// ownOrders answers with a page of the buyer's orders of a sale or of one SKU, oldest first. An app finds an order here whose
// answer was lost.
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
	orders, known := r.merge(rows, holdings, wanted.after)
	if !known {
		return nil, g.refusal(sale.OutcomeUnavailable)
	}
	if len(orders) == 0 && r.bucket.State != sale.BucketOpen {
		return nil, g.refusal(sale.OutcomeFenced) // during a rebuild an order may be in neither store: [] could be wrong
	}
	return orders, nil
}

// merge adds to the rows the orders with ids above after that only Redis has, and sorts by id. known is false if the catalogue
// does not have an item of such an order yet.
func (r *reader) merge(rows []sale.Order, holdings []sale.Holding, after sale.OrderID) (orders []sale.Order, known bool) {
	inDatabase := make(map[sale.OrderID]bool, len(rows)) // a buyer may have a thousand of both
	for i := range rows {
		inDatabase[rows[i].OrderID] = true
	}
	for i := range holdings {
		h := &holdings[i]
		if h.OrderID <= after || inDatabase[h.OrderID] || !r.covers(h) {
			continue
		}
		order, ok := r.live.held(*h)
		if !ok {
			return nil, false
		}
		rows = append(rows, order)
	}
	slices.SortFunc(rows, func(a, b sale.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	return rows, true
}
