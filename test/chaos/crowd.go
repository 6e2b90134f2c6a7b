package chaos

import (
	"flashsale/test/buyers"
	"flashsale/test/buyers/history"
)

// bodyLimit bounds what is read of an answer of the operators' API, in bytes.
const bodyLimit = 1 << 20

// crowdOf returns the crowd of a round, which buys in its sales through every gateway.
func (w *world) crowdOf(sales []*saleUnderTest, out *history.Recorder) *buyers.Crowd {
	to := &buyers.Deployment{Secret: secret, Shop: shopToken, Operator: adminToken}
	for _, g := range w.gateways {
		to.Gateways = append(to.Gateways, buyers.Gateway{Buyers: g.buyers, Operators: g.operators})
	}
	var goods []buyers.Goods
	for _, s := range sales {
		goods = append(goods, s.goods())
	}
	return buyers.NewCrowd(to, out, goods...)
}

// goods is the sale as a crowd knows it.
func (s *saleUnderTest) goods() buyers.Goods {
	g := buyers.Goods{Sale: s.id, Limit: s.limit, Until: s.buyUntil}
	for _, i := range s.items {
		g.SKUs = append(g.SKUs, i.SKU)
	}
	return g
}
