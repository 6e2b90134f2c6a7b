package e2e

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
	"flashsale/test/harness"
)

const (
	rushUnits   = 10_000
	rushBuyers  = 100_000
	rushRepeats = 50_000 // a third of the presses
)

func single(*rand.Rand) int { return 0 }

// rushOnePhone runs the rush of one SKU over a stack and checks that exactly its stock was sold, to as many buyers.
func rushOnePhone(s *stack) *crowd {
	s.t.Helper()
	s.open("rush", lasting(phone(rushUnits)))
	c := newCrowd(s, "rush", rushBuyers)
	c.rush(c.presses(1, rushRepeats, []string{"phone"}, single))
	b := c.check(1, map[string]int{"phone": rushUnits})
	require.Equal(s.t, rushUnits, b.units["phone"], "answers: %v", c.codes())
	require.Len(s.t, b.byBuyer, rushUnits)
	return c
}

func TestRush(t *testing.T) {
	s := newStack(t, servers{}).run(2, 2)
	c := rushOnePhone(s)
	codes := c.codes()
	t.Log("answers:", codes)
	assert.Equal(t, rushUnits, countStatus(c.purchases(), 202), "each unit was taken once")
	assert.Positive(t, codes["sold_out"])
	checkMetrics(s, c)
}

func countStatus(ops []history.Op, status int) int {
	n := 0
	for i := range ops {
		if ops[i].Status == status {
			n++
		}
	}
	return n
}

// TestRushOfThreeSKUs has quantities of 1 to 3 under a limit of 3, and four buckets.
func TestRushOfThreeSKUs(t *testing.T) {
	rushThreeSKUs(newStack(t, servers{}).run(2, 2))
}

func TestRushOnRedisCluster(t *testing.T) {
	rushThreeSKUs(newStack(t, servers{Redis: harness.RedisCluster(t, 3)}).run(2, 2))
}

func rushThreeSKUs(s *stack) {
	s.t.Helper()
	stock := map[string]int{"phone": 4_000, "watch": 3_500, "case": 2_500}
	d := lasting()
	d.PerBuyerLimit, d.Buckets = 3, 4
	var skus []string
	for _, sku := range []string{"phone", "watch", "case"} {
		skus = append(skus, sku)
		d.Items = append(d.Items, stockItem{SKU: sku, Stock: stock[sku], PriceCents: 100})
	}
	s.open("rush", d)
	c := newCrowd(s, "rush", rushBuyers)
	c.rush(c.presses(2, rushRepeats, skus, func(random *rand.Rand) int { return 1 + random.IntN(3) }))
	s.t.Log("answers:", c.codes())
	b := c.check(3, stock)
	require.Equal(s.t, stock, b.units)
}
