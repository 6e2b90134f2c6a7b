package loadtest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// chaos is a shop whose buyers lose answers, press again, and cancel, and whose orders are refused late: everything
// that the promise allows. It keeps the history as the buyers received it.
type chaos struct {
	*shop
	random  *rand.Rand
	history []Told
	skus    []string
}

func newChaos(seed uint64) *chaos {
	random := rand.New(rand.NewPCG(seed, 1))
	c := &chaos{random: random, skus: []string{"phone", "case"}}
	c.shop = newShop(1+random.IntN(3), map[string]int64{"phone": int64(random.IntN(40)), "case": int64(random.IntN(40))})
	for range 200 {
		c.press()
	}
	return c
}

// press is one press by one of thirty buyers, answered, refused or lost.
func (c *chaos) press() {
	at := pressKey{fmt.Sprint("buyer-", c.random.IntN(30)), fmt.Sprint("key-", c.random.IntN(4))}
	if c.random.IntN(5) == 0 {
		at.key = ""
	}
	told := Told{Buyer: at.buyer, Sale: "spring", Lines: c.pickLines(), Key: at.key}
	switch c.random.IntN(10) {
	case 0:
		told.Code = CodeNoAnswer // lost on the way to the gateway
	case 1:
		c.buy(at, told.Lines...)
		told.Code = CodeNoAnswer // lost on the way back
	case 2:
		told.Code = sale.OutcomeUnavailable.String()
	default:
		order, outcome := c.buy(at, told.Lines...)
		if order != nil {
			told.OrderID = order.OrderID.String()
		}
		told.setCode(outcome.String())
	}
	c.history = append(c.history, told)
	if c.random.IntN(8) == 0 && len(c.orders) > 0 {
		c.endOne()
	}
}

// pickLines is what a press asks for: one or both SKUs.
func (c *chaos) pickLines() []Asked {
	var lines []Asked
	for _, i := range c.random.Perm(len(c.skus))[:1+c.random.IntN(len(c.skus))] {
		lines = append(lines, Asked{c.skus[i], 1 + c.random.IntN(2)})
	}
	return lines
}

// endOne cancels an order, or refuses it as an order of an older epoch.
func (c *chaos) endOne() {
	o := c.orders[c.random.IntN(len(c.orders))]
	if o.Status != sale.StatusConfirmed {
		return
	}
	o.Status = sale.StatusCancelled
	if c.random.IntN(2) == 0 {
		o.Status = sale.StatusRefused
	}
	c.changeAll(o, func(units *sale.Stock, quantity int64) {
		units.Available += quantity
		if o.Status == sale.StatusRefused {
			units.Settled -= quantity
		} else {
			units.Released += quantity
		}
	})
}

// changeAll changes the counters of every line of an order.
func (c *chaos) changeAll(o *sale.Order, by func(units *sale.Stock, quantity int64)) {
	for i := range o.Lines {
		c.change(o.Lines[i].SKU, func(units *sale.Stock) { by(units, int64(o.Lines[i].Quantity)) })
	}
}

// promised returns a live order that was promised to a buyer, nil when there is none.
func (c *chaos) promised() *sale.Order {
	told := map[sale.OrderID]bool{}
	for _, one := range c.history {
		told[one.orderID] = true
	}
	for _, i := range c.random.Perm(len(c.orders)) {
		if o := c.orders[i]; told[o.OrderID] && o.Status == sale.StatusConfirmed {
			return o
		}
	}
	return nil
}

const chaosSeeds = 400

func TestVerdictAllowsWhateverThePromiseAllows(t *testing.T) {
	for seed := range uint64(chaosSeeds) {
		c := newChaos(seed)
		verdict := verdictOf(t, c.shop, c.history)
		require.True(t, verdict.Good, "seed %d: %+v", seed, verdict)
	}
}

// Each single violation of the promise is found in otherwise correct data.
func TestVerdictForbidsOneBrokenPromise(t *testing.T) {
	for name, break1 := range map[string]func(c *chaos, o *sale.Order){
		"the row vanishes": func(c *chaos, o *sale.Order) { c.drop(o) },
		"the row vanishes with its unit": func(c *chaos, o *sale.Order) {
			c.drop(o)
			c.changeAll(o, func(units *sale.Stock, quantity int64) {
				units.Settled -= quantity
				units.Available += quantity
			})
		},
		"the row changes hands":  func(_ *chaos, o *sale.Order) { o.BuyerID = "another-buyer" },
		"the row changes its id": func(_ *chaos, o *sale.Order) { o.OrderID += 1_000_000 },
		"the row exists twice": func(c *chaos, o *sale.Order) {
			twin := *o
			twin.OrderID += 1_000_000
			c.orders = append(c.orders, &twin)
		},
		"a line vanishes":              func(c *chaos, o *sale.Order) { o.Lines = o.Lines[1:] },
		"the row is released unbooked": func(_ *chaos, o *sale.Order) { o.Status = sale.StatusExpired },
		"a unit is returned twice": func(c *chaos, o *sale.Order) {
			c.changeAll(o, func(units *sale.Stock, quantity int64) { units.Available += quantity })
		},
	} {
		broken := 0
		for seed := range uint64(chaosSeeds) {
			c := newChaos(seed)
			order := c.promised()
			if order == nil {
				continue
			}
			broken++
			break1(c, order)
			require.False(t, verdictOf(t, c.shop, c.history).Good, "%s, seed %d, order %s", name, seed, order.OrderID)
		}
		require.Greater(t, broken, chaosSeeds/2, name)
	}
}
