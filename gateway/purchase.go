package gateway

import (
	"github.com/valyala/fasthttp"

	"flashsale/sale"
)

// purchase checks one purchase request, from the cheapest refusal to the answer of the Stock. docs/buyers.md promises the
// order of the checks; the request gets the first refusal that applies. All checks before Reserve use local memory, and the
// first allocation of a well-formed request follows the check of its token.
func (g *Gateway) purchase(ctx *fasthttp.RequestCtx, at location, h *headers) sale.Outcome {
	quantity, field := parseBody(ctx.PostBody())
	if field != "" {
		return g.malformed(ctx, field, formOfBody)
	}
	key, ok := h.idempotencyKey()
	if !ok {
		return g.malformed(ctx, fieldKey, formOfKey)
	}
	catalogue := g.catalogue.current.Load()
	live, item, refusal := catalogue.find(at)
	if item == nil {
		return g.refuse(ctx, refusal)
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
	if item.open == 0 {
		return g.refuse(ctx, sale.OutcomeFenced)
	}
	soldOut := item.soldOut()
	if !soldOut && g.overAddressLimit(ctx) { // before the token, so that the limit also counts guessed tokens
		return sale.OutcomeRateLimited
	}
	var who buyerID // zero without a verified token: no answer depends on the name in an unverified one
	proven := g.tokens.prove(h.bearer(), now, &who)
	switch {
	case soldOut && item.latch.refuses(who.text()):
		return g.refuse(ctx, sale.OutcomeSoldOut)
	case soldOut && g.overAddressLimit(ctx):
		return sale.OutcomeRateLimited
	case !proven:
		return g.refuse(ctx, sale.OutcomeUnauthenticated)
	case item.home(who.text()).State != sale.BucketOpen:
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
	p := item.purchaseOf(live, buyer, key, quantity)
	p.ArrivedAt, p.Grief = ctx.Time(), catalogue.grief.ForSale(live.PaymentTTL)
	owners := item.latch.buckets[p.Bucket.Number].owners.Load() // before Reserve: a later reading may count this purchase
	answer := g.stock.Reserve(p)
	return g.reply(ctx, live, item, owners, &p, &answer)
}

// fieldKey is the `field` of a malformed answer for the header.
const fieldKey = "Idempotency-Key"

// whole reports whether every bucket is open. One that is not may have units, so the SKU is not known to be sold out.
func (i *liveItem) whole() bool { return i.open == len(i.buckets) }

// soldOut reports whether the SKU is known to be sold out.
func (i *liveItem) soldOut() bool { return i.whole() && i.latch.all() }

// purchaseOf returns the purchase for the Stock. Its strings are copies or belong to the catalogue.
func (i *liveItem) purchaseOf(live *liveSale, buyer string, key []byte, quantity int) sale.Purchase {
	row := &i.buckets[sale.HomeBucket(buyer, len(i.buckets))]
	p := sale.Purchase{
		Bucket: row.Bucket, Epoch: row.Epoch, Partition: row.Partition,
		Buckets: len(i.buckets), Buyer: buyer, Key: string(key), Quantity: quantity,
	}
	if live.Eligibility == sale.EligibilityList {
		p.ListVersion, p.ListSize = live.ListVersion, live.ListSize
	}
	return p
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

// reply answers with the decision of the Stock. known are the owners from before the call of Reserve.
func (g *Gateway) reply(
	ctx *fasthttp.RequestCtx, live *liveSale, item *liveItem, known *owners, p *sale.Purchase, a *sale.Answer,
) sale.Outcome {
	switch a.Outcome {
	case sale.OutcomeQueued, sale.OutcomeHeld:
		item.latch.buckets[p.Bucket.Number].sold(known, p, a.Quantity)
		g.taken(ctx, live, item, a)
	case sale.OutcomeReplayed:
		return g.replayed(ctx, live, item, p, a)
	case sale.OutcomeSoldOut:
		g.latchWatcher.soldOut(item.latch)
		return g.refuse(ctx, a.Outcome)
	case sale.OutcomeNotStarted:
		return g.refuseEarly(ctx, live, g.stock.Now())
	case sale.OutcomeKeyReused, sale.OutcomeUnknown:
		return g.refuseWith(ctx, a.Outcome, "", sale.Member{Name: "order_id", Value: a.OrderID})
	case sale.OutcomeOverLimit:
		return g.refuseWith(ctx, a.Outcome, "", sale.Member{Name: "limit", Value: a.Limit})
	case sale.OutcomeAlreadyBought:
		return g.refuseWith(ctx, a.Outcome, "", sale.Member{Name: "limit", Value: a.Limit},
			sale.Member{Name: "bought", Value: a.Bought}, sale.Member{Name: "order_id", Value: a.OrderID})
	case sale.OutcomeTooManyCancellations:
		return g.refuseWith(ctx, a.Outcome, "", sale.Member{Name: "limit", Value: a.Limit},
			sale.Member{Name: "unpaid", Value: a.Unpaid})
	case sale.OutcomeNotEnough:
		return g.refuseWith(ctx, a.Outcome, "", sale.Member{Name: "available", Value: a.Available})
	default:
		return g.refuse(ctx, a.Outcome)
	}
	return a.Outcome
}

// taken answers a purchase that took units.
func (g *Gateway) taken(ctx *fasthttp.RequestCtx, live *liveSale, item *liveItem, a *sale.Answer) {
	status := sale.StatusQueued
	if a.Outcome == sale.OutcomeHeld {
		status = sale.StatusHeld
	}
	order := item.order(live, sale.Holding{OrderID: a.OrderID, Quantity: a.Quantity, CreatedAt: a.CreatedAt, Status: status})
	answerOrder(ctx, a.Outcome.Row().Status, &order)
	setLocation(ctx, &order)
}
