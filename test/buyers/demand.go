package buyers

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"flashsale/sale"
	"flashsale/test/buyers/history"
)

// enoughRefusals in a row, by buyers of every bucket, say that nothing is left.
const (
	enoughRefusals = 40
	demandWithin   = 4 * time.Minute
)

// Demand lets fresh buyers press for one unit each until nothing is left of any SKU of a sale.
func (c *Crowd) Demand(g Target, seed uint64) {
	var everybody sync.WaitGroup
	for i, sku := range g.SKUs {
		random := rand.New(rand.NewPCG(seed, 1<<33+uint64(i)))
		everybody.Go(func() { c.demand(g.Sale, sku, random) })
	}
	everybody.Wait()
}

func (c *Crowd) demand(saleID, sku string, random *rand.Rand) {
	with := c.NewClient()
	defer with.Close()
	deadline := time.Now().Add(demandWithin)
	refused := 0
	for buyer := 0; refused < enoughRefusals && time.Now().Before(deadline); buyer++ {
		op := c.Ask(with, history.Question{Verb: history.Buy, Sale: saleID, SKU: sku, Quantity: 1,
			Gateway: random.IntN(len(c.Gateways)), Buyer: fmt.Sprintf("%s-late-%d", saleID, buyer),
			Key: fmt.Sprintf("late %s %d", sku, buyer)})
		switch {
		case op.Code == sale.OutcomeSoldOut.String():
			refused++
			<-time.After(30 * time.Millisecond) // so that the refusals span more than one look of the gateways
		case op.End == history.OK:
			refused = 0
		default:
			<-time.After(20 * time.Millisecond)
		}
	}
}
