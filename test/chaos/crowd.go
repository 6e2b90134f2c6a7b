package chaos

import (
	"flashsale/test/buyers"
	"flashsale/test/buyers/history"
)

// crowdOf returns the crowd of a round, which buys in its sales through every gateway.
func (w *world) crowdOf(sales []*saleUnderTest, out *history.Recorder) *buyers.Crowd {
	var targets []buyers.Target
	for _, s := range sales {
		targets = append(targets, s.target())
	}
	return buyers.NewCrowd(buyers.Of(w.Stack), out, targets...)
}

// target returns the sale as a target of a crowd.
func (s *saleUnderTest) target() buyers.Target {
	g := buyers.Target{Sale: s.id, Limit: s.limit, Until: s.buyUntil}
	for _, i := range s.items {
		if !s.enough[i.SKU] {
			g.SKUs = append(g.SKUs, i.SKU)
		}
	}
	return g
}
