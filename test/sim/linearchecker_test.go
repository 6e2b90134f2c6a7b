package sim

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
)

// Histories of a SKU of two units and a limit of one, with the answer that the checker has to give.
func TestLinearizabilityIsDecided(t *testing.T) {
	take := func(buyer, order int) operation { return operation{takes, buyer, order, 1} }
	give := func(buyer, order int) operation { return operation{gives, buyer, order, 1} }
	none := operation{verb: soldOut, buyer: 2, quantity: 1}
	for name, c := range map[string]struct {
		history []operation
		want    porcupine.CheckResult
	}{
		"two units, two buyers, sold out":        {[]operation{take(0, 0), take(1, 1), none}, porcupine.Ok},
		"sold out while a unit is left":          {[]operation{take(0, 0), none}, porcupine.Illegal},
		"three buyers of two units":              {[]operation{take(0, 0), take(1, 1), take(2, 2)}, porcupine.Illegal},
		"a unit that came back is sold":          {[]operation{take(0, 0), take(1, 1), give(0, 0), take(2, 2)}, porcupine.Ok},
		"an order given back twice":              {[]operation{take(0, 0), give(0, 0), give(0, 0)}, porcupine.Illegal},
		"a unit that was never taken":            {[]operation{give(0, 0)}, porcupine.Illegal},
		"two units for one buyer":                {[]operation{take(0, 0), take(0, 1)}, porcupine.Illegal},
		"over the limit without a unit":          {[]operation{{isOver, 0, 0, 1}}, porcupine.Illegal},
		"over the limit with a unit":             {[]operation{take(0, 0), {isOver, 0, 0, 1}}, porcupine.Ok},
		"an order read before it was taken":      {[]operation{{has, 0, 0, 1}, take(0, 0)}, porcupine.Illegal},
		"an order read after it was given":       {[]operation{take(0, 0), give(0, 0), {has, 0, 0, 1}}, porcupine.Ok},
		"fewer than asked while enough is there": {[]operation{{notEnough, 0, 0, 2}}, porcupine.Illegal},
		"fewer than asked":                       {[]operation{take(0, 0), {notEnough, 1, 0, 2}}, porcupine.Ok},
	} {
		var h history
		for i, o := range c.history {
			h.add(o, time.Duration(2*i), time.Duration(2*i+1))
		}
		got := porcupine.CheckOperationsTimeout(skuModel(2, 1, 3, 3), h.records, time.Second)
		assert.Equal(t, c.want, got, name)
	}
}

// Operations that overlap may have happened in either order.
func TestOverlappingOperationsAreOrderedEitherWay(t *testing.T) {
	var h history
	h.add(operation{verb: soldOut, quantity: 1}, 0, 10)
	h.add(operation{takes, 0, 0, 2}, 1, 9)
	assert.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(skuModel(2, 2, 1, 1), h.records, time.Second))
}
