package gateway

import (
	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// purchase checks one purchase request, from the cheapest refusal to the answer of the Stock. docs/buyers.md promises the
// order of the checks; the request gets the first refusal that applies. All checks before Reserve use local memory, and the
// first allocation of a well-formed request follows the check of its token. purchase notes in the press what is known of it.
func (g *Gateway) purchase(ctx *fasthttp.RequestCtx, at location, h *headers, of *press) sale.Outcome {
	var room [usualLines]pressLine
	lines, field := parseBody(room[:0], ctx.PostBody(), at.sku)
	if field != "" {
		return g.malformed(ctx, field, at.formOfBody())
	}
	key, ok := h.idempotencyKey()
	if !ok {
		return g.malformed(ctx, fieldKey, formOfKey)
	}
	catalogue := g.catalogue.current.Load()
	live, item, refusal := catalogue.find(at)
	if of.live = live; live == nil {
		return g.refuse(ctx, refusal)
	}
	if unknown := live.resolve(lines, item); unknown != nil {
		return g.refuseWith(ctx, sale.OutcomeSKUNotFound, "", sale.Member{Name: fieldSKU, Value: string(unknown)})
	}
	now := g.stock.Now()
	switch live.phaseAt(now) {
	case phaseUnknown:
		return g.refuse(ctx, sale.OutcomeUnavailable)
	case phaseUpcoming:
		return g.refuseEarly(ctx, live, now)
	case phaseEnded:
		return g.refuse(ctx, sale.OutcomeSaleEnded)
	case phasePaused:
		return g.refuse(ctx, sale.OutcomePaused)
	case phaseOpen:
	}
	if live.open == 0 {
		return g.refuse(ctx, sale.OutcomeFenced)
	}
	soldOut := live.whole() && anySoldOut(lines)
	if !soldOut && g.overAddressLimit(ctx) { // before the token, so that the limit also counts guessed tokens
		return sale.OutcomeRateLimited
	}
	var who buyerID // zero without a verified token: no answer depends on the name in an unverified one
	fault := g.tokens.prove(h.bearer(), now, &who)
	switch {
	case soldOut && refusedSoldOut(ctx, lines, who.text()):
		return sale.OutcomeSoldOut
	case soldOut && g.overAddressLimit(ctx):
		return sale.OutcomeRateLimited
	case fault != 0:
		return g.unauthenticated(ctx, fault)
	case live.home(who.text()).State != sale.BucketOpen:
		return g.refuse(ctx, sale.OutcomeFenced)
	}
	buyer := who.String()
	switch {
	case !live.listed(buyer):
		return g.refuse(ctx, sale.OutcomeNotEligible)
	case g.overBuyerLimit(ctx, buyer):
		return sale.OutcomeRateLimited
	}
	permit, refusal, ok := g.admit()
	if !ok {
		return g.refuse(ctx, refusal)
	}
	defer g.leave(permit)
	p := live.purchaseOf(buyer, key, lines)
	p.ArrivedAt, p.Grief, p.Trace = ctx.Time(), catalogue.grief.ForSale(live.PaymentTTL), of.trace
	owners := live.latches.buckets[p.Bucket.Number].owners.Load() // before Reserve: a later reading may count this purchase
	answer := g.stock.Reserve(p)
	if answer.Outcome == sale.OutcomeQueued || answer.Outcome == sale.OutcomeHeld {
		live.latches.sold(owners, &p, lines)
	}
	return g.reply(ctx, at, of, lines, &p, &answer)
}

// refusedSoldOut refuses the lines of a buyer as sold out if a closed latch refuses one of them, and reports whether it did.
func refusedSoldOut(ctx *fasthttp.RequestCtx, lines []pressLine, buyer []byte) bool {
	for i := range lines {
		if c := lines[i].item.latch.closed.Load(); c != nil && c.refuses(buyer) {
			refuseSoldOut(ctx, c)
			return true
		}
	}
	return false
}

// fieldKey is the `field` of a malformed answer for the header.
const fieldKey = "Idempotency-Key"

// purchaseOf returns the purchase for the Stock. Its strings are copies or belong to the catalogue.
func (s *liveSale) purchaseOf(buyer string, key []byte, lines []pressLine) sale.Purchase {
	row := &s.buckets[sale.HomeBucket(buyer, len(s.buckets))]
	p := sale.Purchase{
		Bucket: row.Bucket, Epoch: row.Epoch, Partition: row.Partition,
		Buckets: len(s.buckets), Buyer: buyer, Key: string(key), Lines: linesOf(lines),
	}
	if s.Eligibility == sale.EligibilityList {
		p.ListVersion, p.ListSize = s.ListVersion, s.ListSize
	}
	return p
}

// linesOf returns the lines for the Stock, which does not change them. Those of one unit, which most purchases ask for, belong
// to the catalogue, so that a purchase that Redis refuses does not allocate.
func linesOf(lines []pressLine) []sale.Line {
	if len(lines) == 1 && lines[0].quantity == 1 {
		return lines[0].item.unit[:]
	}
	asked := make([]sale.Line, len(lines))
	for i := range lines {
		asked[i] = lines[i].item.line(lines[i].quantity)
	}
	return asked
}

// admit applies the bounds that all purchases share. If ok, the caller must call leave.
func (g *Gateway) admit() (p permit, refusal sale.Outcome, ok bool) {
	if p, refusal, ok = g.purchases.enter(); !ok {
		return p, refusal, false
	}
	if g.inFlight.Add(1) > int64(g.options.MaxInFlight) {
		g.leave(p)
		return permit{}, sale.OutcomeOverloaded, false
	}
	return p, 0, true
}

func (g *Gateway) leave(p permit) {
	g.inFlight.Add(-1)
	p.leave()
}

// reply answers with the decision of the Stock, and notes it in the press.
func (g *Gateway) reply(
	ctx *fasthttp.RequestCtx, at location, of *press, lines []pressLine, p *sale.Purchase, a *sale.Answer,
) sale.Outcome {
	live := of.live
	of.orderID, of.batchID = a.OrderID, a.BatchID
	switch a.Outcome {
	case sale.OutcomeQueued, sale.OutcomeHeld:
		g.taken(ctx, at, live, p, a)
		return a.Outcome
	case sale.OutcomeReplayed:
		return g.replayed(ctx, at, live, p, a)
	case sale.OutcomeSoldOut:
		refuseSoldOut(ctx, g.latchWatcher.soldOut(faultyItem(lines, a.SKU).latch))
		return a.Outcome
	case sale.OutcomeNotStarted:
		return g.refuseEarly(ctx, live, g.stock.Now())
	case sale.OutcomeKeyReused, sale.OutcomeUnknown, sale.OutcomeOverLimit, sale.OutcomeAlreadyBought,
		sale.OutcomeTooManyCancellations, sale.OutcomeNotEnough:
		return g.refuseWith(ctx, a.Outcome, "", membersOf(a)...)
	default:
		return g.refuse(ctx, a.Outcome)
	}
}

// faultyItem returns the item of the line that the Stock's answer names, and the first one if it names none.
func faultyItem(lines []pressLine, sku string) *liveItem {
	for i := range lines {
		if lines[i].item.SKU == sku {
			return lines[i].item
		}
	}
	return lines[0].item
}

// membersOf returns the members of a refusal of the Stock.
func membersOf(a *sale.Answer) (members []sale.Member) {
	add := func(name string, value any) { members = append(members, sale.Member{Name: name, Value: value}) }
	if a.Scope != "" {
		add("scope", a.Scope)
	}
	if a.SKU != "" {
		add(fieldSKU, a.SKU)
	}
	switch a.Outcome {
	case sale.OutcomeOverLimit:
		add("limit", a.Limit)
	case sale.OutcomeAlreadyBought:
		add("limit", a.Limit)
		add("bought", a.Bought)
		add("order_id", a.OrderID)
	case sale.OutcomeTooManyCancellations:
		add("limit", a.Limit)
		add("unpaid", a.Unpaid)
	case sale.OutcomeNotEnough:
		add("available", a.Available)
	default: // key reused, unknown
		add("order_id", a.OrderID)
	}
	return members
}

// taken answers a purchase that took units.
func (g *Gateway) taken(ctx *fasthttp.RequestCtx, at location, live *liveSale, p *sale.Purchase, a *sale.Answer) {
	status := sale.StatusQueued
	if a.Outcome == sale.OutcomeHeld {
		status = sale.StatusHeld
	}
	order := live.order(sale.Holding{OrderID: a.OrderID, Lines: p.Lines, CreatedAt: a.CreatedAt, Status: status})
	answerOrder(ctx, a.Outcome.Row().Status, &order)
	setLocation(ctx, at, a.OrderID)
}
