package check

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"

	"flashsale/test/buyers/history"
)

// heardAt adds one operation to a history, at a moment and the one after it.
type heardAt func(x *Exact, from, to time.Duration)

// Histories of a sale of two units of a and one of b, with a limit of one unit of a SKU and of two units of the sale, and the
// answer that the checker has to give.
func TestLinearizabilityIsDecided(t *testing.T) {
	take := func(buyer, order string, skus ...string) heardAt {
		var lines []history.Line
		for _, sku := range skus {
			lines = append(lines, history.Line{SKU: sku, Quantity: 1})
		}
		return func(x *Exact, from, to time.Duration) { x.Takes(buyer, order, lines, from, to) }
	}
	give := func(buyer, order string) heardAt {
		return func(x *Exact, from, to time.Duration) {
			x.Gives(buyer, order, []history.Line{{SKU: "a", Quantity: 1}}, from, to)
		}
	}
	has := func(x *Exact, from, to time.Duration) { x.Has("a", "0", from, to) }
	none := func(sku string) heardAt {
		return func(x *Exact, from, to time.Duration) { x.SoldOut(sku, from, to) }
	}
	over := func(sku string, bought int) heardAt {
		return func(x *Exact, from, to time.Duration) { x.Over("a", sku, bought, from, to) }
	}
	left := func(units int64) heardAt {
		return func(x *Exact, from, to time.Duration) { x.NotEnough("a", units, from, to) }
	}
	adds := func(units int) heardAt {
		return func(x *Exact, from, to time.Duration) { x.Adds("a", units, from, to) }
	}
	for name, c := range map[string]struct {
		history []heardAt
		want    porcupine.CheckResult
	}{
		"two units, two buyers, sold out": {[]heardAt{take("a", "0", "a"), take("b", "1", "a"), none("a")}, porcupine.Ok},
		"sold out while a unit is left":   {[]heardAt{take("a", "0", "a"), none("a")}, porcupine.Illegal},
		"sold out of the other SKU":       {[]heardAt{take("a", "0", "b"), none("b")}, porcupine.Ok},
		"three buyers of two units": {[]heardAt{take("a", "0", "a"), take("b", "1", "a"), take("c", "2", "a")},
			porcupine.Illegal},
		"two buyers of both SKUs, of one of which is one unit": {[]heardAt{take("a", "0", "a", "b"), take("b", "1", "a", "b")},
			porcupine.Illegal},
		"a unit that came back is sold": {[]heardAt{take("a", "0", "a"), take("b", "1", "a"), give("a", "0"),
			take("c", "2", "a")}, porcupine.Ok},
		"an order given back twice":          {[]heardAt{take("a", "0", "a"), give("a", "0"), give("a", "0")}, porcupine.Illegal},
		"a unit that was never taken":        {[]heardAt{give("a", "0")}, porcupine.Illegal},
		"two units for one buyer":            {[]heardAt{take("a", "0", "a"), take("a", "1", "a")}, porcupine.Illegal},
		"a unit of each SKU for one buyer":   {[]heardAt{take("a", "0", "a"), take("a", "1", "b")}, porcupine.Ok},
		"over the limit without a unit":      {[]heardAt{over("a", 1)}, porcupine.Illegal},
		"over the limit with a unit":         {[]heardAt{take("a", "0", "a"), over("a", 1)}, porcupine.Ok},
		"over the limit with a unit of b":    {[]heardAt{take("a", "0", "b"), over("a", 1)}, porcupine.Illegal},
		"over the limit of the sale":         {[]heardAt{take("a", "0", "a", "b"), over("", 2)}, porcupine.Ok},
		"over the limit of the sale too few": {[]heardAt{take("a", "0", "a"), over("", 2)}, porcupine.Illegal},
		"an order read before it was taken":  {[]heardAt{has, take("a", "0", "a")}, porcupine.Illegal},
		"an order read after it was given":   {[]heardAt{take("a", "0", "a"), give("a", "0"), has}, porcupine.Ok},
		"fewer left than there are":          {[]heardAt{left(1)}, porcupine.Illegal},
		"as many left as there are":          {[]heardAt{take("a", "0", "a"), left(1)}, porcupine.Ok},
		"a unit of a raise is sold": {[]heardAt{take("a", "0", "a"), take("b", "1", "a"), adds(1), take("c", "2", "a")},
			porcupine.Ok},
		"a unit that was taken back is sold":  {[]heardAt{adds(-1), take("a", "0", "a"), take("b", "1", "a")}, porcupine.Illegal},
		"a unit is taken back that was sold":  {[]heardAt{take("a", "0", "a"), adds(-2)}, porcupine.Illegal},
		"sold out after all were taken back":  {[]heardAt{adds(-2), none("a")}, porcupine.Ok},
		"sold out before they are taken back": {[]heardAt{none("a"), adds(-2)}, porcupine.Illegal},
	} {
		var x Exact
		for i, add := range c.history {
			add(&x, time.Duration(2*i), time.Duration(2*i+1))
		}
		assert.Equal(t, len(c.history), x.Len())
		got := x.Decide(&Sale{Limit: 1, SaleLimit: 2}, map[string]int64{"a": 2, "b": 1}, time.Second)
		assert.Equal(t, c.want, got, name)
	}
}

// Operations that overlap may have happened in either order.
func TestOverlappingOperationsAreOrderedEitherWay(t *testing.T) {
	var x Exact
	x.SoldOut("a", 0, 10)
	x.Takes("a", "0", []history.Line{{SKU: "a", Quantity: 2}}, 1, 9)
	assert.Equal(t, porcupine.Ok, x.Decide(&Sale{Limit: 2}, map[string]int64{"a": 2}, time.Second))
}
