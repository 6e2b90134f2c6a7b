package check

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
)

// heardAt adds one operation to a history, at a moment and the one after it.
type heardAt func(x *Exact, from, to time.Duration)

// Histories of a SKU of two units and a limit of one, with the answer that the checker has to give.
func TestLinearizabilityIsDecided(t *testing.T) {
	take := func(buyer, order string) heardAt {
		return func(x *Exact, from, to time.Duration) { x.Takes(buyer, order, 1, from, to) }
	}
	give := func(buyer, order string) heardAt {
		return func(x *Exact, from, to time.Duration) { x.Gives(buyer, order, 1, from, to) }
	}
	has := func(x *Exact, from, to time.Duration) { x.Has("a", "0", 1, from, to) }
	none := func(x *Exact, from, to time.Duration) { x.SoldOut("c", 1, from, to) }
	over := func(x *Exact, from, to time.Duration) { x.OverLimit("a", 1, from, to) }
	fewer := func(buyer string) heardAt {
		return func(x *Exact, from, to time.Duration) { x.NotEnough(buyer, 2, from, to) }
	}
	for name, c := range map[string]struct {
		history []heardAt
		want    porcupine.CheckResult
	}{
		"two units, two buyers, sold out": {[]heardAt{take("a", "0"), take("b", "1"), none}, porcupine.Ok},
		"sold out while a unit is left":   {[]heardAt{take("a", "0"), none}, porcupine.Illegal},
		"three buyers of two units":       {[]heardAt{take("a", "0"), take("b", "1"), take("c", "2")}, porcupine.Illegal},
		"a unit that came back is sold": {[]heardAt{take("a", "0"), take("b", "1"), give("a", "0"), take("c", "2")},
			porcupine.Ok},
		"an order given back twice":              {[]heardAt{take("a", "0"), give("a", "0"), give("a", "0")}, porcupine.Illegal},
		"a unit that was never taken":            {[]heardAt{give("a", "0")}, porcupine.Illegal},
		"two units for one buyer":                {[]heardAt{take("a", "0"), take("a", "1")}, porcupine.Illegal},
		"over the limit without a unit":          {[]heardAt{over}, porcupine.Illegal},
		"over the limit with a unit":             {[]heardAt{take("a", "0"), over}, porcupine.Ok},
		"an order read before it was taken":      {[]heardAt{has, take("a", "0")}, porcupine.Illegal},
		"an order read after it was given":       {[]heardAt{take("a", "0"), give("a", "0"), has}, porcupine.Ok},
		"fewer than asked while enough is there": {[]heardAt{fewer("a")}, porcupine.Illegal},
		"fewer than asked":                       {[]heardAt{take("a", "0"), fewer("b")}, porcupine.Ok},
	} {
		var x Exact
		for i, add := range c.history {
			add(&x, time.Duration(2*i), time.Duration(2*i+1))
		}
		assert.Equal(t, len(c.history), x.Len())
		assert.Equal(t, c.want, x.Decide(2, 1, time.Second), name)
	}
}

// Operations that overlap may have happened in either order.
func TestOverlappingOperationsAreOrderedEitherWay(t *testing.T) {
	var x Exact
	x.SoldOut("a", 1, 0, 10)
	x.Takes("a", "0", 2, 1, 9)
	assert.Equal(t, porcupine.Ok, x.Decide(2, 2, time.Second))
}
