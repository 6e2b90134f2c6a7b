package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/buyers"
	"flashsale/test/buyers/history"
	"flashsale/test/harness"
)

// bucketed defines a sale of phones in four buckets.
func bucketed(stock int) definition {
	d := lasting(phone(stock))
	d.Buckets = 4
	return d
}

// atHome returns the presses of buyers whose bucket is one of these.
func (c *crowd) atHome(list []history.Question, buckets ...int) []history.Question {
	return slices.DeleteFunc(list, func(p history.Question) bool {
		return !slices.Contains(buckets, sale.HomeBucket(p.Buyer, 4))
	})
}

// TestSkewedBuyersGetEveryUnit: all buyers have the same bucket and the units are in four. Every unit is sold, and no press
// is answered sold_out before.
func TestSkewedBuyersGetEveryUnit(t *testing.T) {
	skewedBuyers(newStack(t, servers{}).run(2, 2))
}

func TestSkewedBuyersOnRedisCluster(t *testing.T) {
	skewedBuyers(newStack(t, servers{Redis: harness.RedisCluster(t, 3)}).run(2, 1))
}

func skewedBuyers(s *stack) {
	s.t.Helper()
	const units, size, repeats = 2_000, 12_000, 3_000
	s.open("rush", bucketed(units))
	c := newCrowd(s, "rush", size)
	began := time.Now()
	c.rush(c.atHome(c.presses(3, repeats, []string{"phone"}, single), 2))
	s.t.Logf("answers after %s: %v", time.Since(began), c.codes())
	b := c.check(1, map[string]int{"phone": units})
	require.Equal(s.t, units, b.units["phone"], "every unit is sold")
	require.Positive(s.t, c.codes()["sold_out"])
	s.emptyBuckets("rush", units)
	neverEarly(s.t, c.purchases())
	require.Less(s.t, lateWord(c.purchases()), time.Second, "overloaded although the last unit was taken")
}

// lateWord returns how long after the last unit was taken an answer was still another one than sold_out: overloaded is
// wrong when the SKU has nothing left.
func lateWord(ops []history.Op) time.Duration {
	var taken, doubt time.Time
	for i := range ops {
		switch h := &ops[i]; {
		case h.Status == 202 && h.Got().After(taken):
			taken = h.Got()
		case h.Code == "overloaded" && h.Got().After(doubt):
			doubt = h.Got()
		}
	}
	return max(0, doubt.Sub(taken))
}

// emptyBuckets requires that the units are in the buckets where they were sold, and that no bucket has a unit of any SKU left.
func (s *stack) emptyBuckets(saleID string, units int) {
	s.t.Helper()
	rows, err := s.DB().Query("SELECT bucket, sku, loaded, settled, released FROM stock WHERE sale_id = ? ORDER BY bucket, sku",
		saleID)
	require.NoError(s.t, err)
	defer rows.Close()
	var all sale.Stock
	for rows.Next() {
		var bucket int
		var sku string
		var stock sale.Stock // nothing is available and nothing in flight: every unit that the bucket loaded is sold
		require.NoError(s.t, rows.Scan(&bucket, &sku, &stock.Loaded, &stock.Settled, &stock.Released))
		require.Zero(s.t, stock.Difference(), "bucket %d holds units of %s", bucket, sku)
		all = all.Add(stock)
	}
	require.NoError(s.t, rows.Err())
	require.EqualValues(s.t, units, all.Loaded)
}

// neverEarly requires that no press which began after a sold_out answer was taken: no unit was given back meanwhile, so the
// SKU is empty from then on.
func neverEarly(t testing.TB, ops []history.Op) {
	t.Helper()
	first := time.Time{}
	for i := range ops {
		if h := &ops[i]; h.Code == "sold_out" && (first.IsZero() || h.Got().Before(first)) {
			first = h.Got()
		}
	}
	require.False(t, first.IsZero())
	for i := range ops {
		if h := &ops[i]; h.Status == 202 && h.Sent().After(first) {
			t.Errorf("a unit was taken %s after a press was answered sold_out", h.Sent().Sub(first))
		}
	}
}

// TestGivenBackUnitsReachEveryBuyer: a unit returns to the bucket of its buyer, and a buyer of another bucket gets it at
// another gateway within a second.
func TestGivenBackUnitsReachEveryBuyer(t *testing.T) {
	s := newStack(t, servers{}).run(2, 1)
	s.open("rush", bucketed(1))
	buyer := s.confirmed(homeBuyer(3, 0))
	owner := homeBuyer(3, 0)
	for turn := range 4 {
		s.soldOutEverywhere(fmt.Sprintf("stranger-%d", turn))
		next := homeBuyer(turn%4, turn+1)
		since := time.Now()
		require.Equal(t, 200, s.cancel(buyer, owner).status)
		var bought reply
		require.Eventually(t, func() bool {
			bought = s.buy(ask{gateway: turn % 2, buyer: next})
			return bought.status == 202
		}, 10*time.Second, 10*time.Millisecond, "the unit of bucket %d does not reach %s", turn%4, next)
		t.Logf("it took %s", time.Since(since))
		buyer, owner = s.becomes(s.ordered(bought, 202), next, "confirmed"), next
	}
	s.audit("rush")
	s.emptyBuckets("rush", 1)
}

// homeBuyer returns the name of the n-th buyer whose bucket of four has the given number.
func homeBuyer(bucket, n int) string {
	for i := 0; ; i++ {
		if name := fmt.Sprintf("home-%d", i); sale.HomeBucket(name, 4) == bucket {
			if n--; n < 0 {
				return name
			}
		}
	}
}

// TestUnitsWhoseGatewayDiesArrive: every gateway is killed while buyers of one bucket empty the others, by orders of one or
// two lines; the relay publishes the units of both SKUs on their way between two buckets, and all units are sold in the end.
func TestUnitsWhoseGatewayDiesArrive(t *testing.T) {
	const units, crowd = 400, 4_000
	s := newStack(t, servers{Env: []string{"FLASHSALE_RESERVE_RELAY_DEADLINE=300ms"}}).run(2, 1)
	d := bucketed(units)
	d.Items = append(d.Items, stockItem{SKU: "case", Stock: units, PriceCents: 900})
	s.open("rush", d)
	c := newCrowd(s, "rush", crowd)
	rush := buyers.Rush{Sale: "rush", SKUs: []string{"phone", "case"}, Buyers: crowd, Repeats: 500,
		Quantity: func(*rand.Rand) int { return 1 },
		Lines:    func(random *rand.Rand) int { return 1 + random.IntN(2) }}
	for at := range int64(6) {
		c.OnTaken(60*(at+1), func() { s.Gateways[at%2].Kill(); s.Gateways[at%2].Restart(); s.Gateways[at%2].Ready() })
	}
	c.rush(c.atHome(rush.Presses(4, len(c.Gateways)), 1))
	c.Demand(buyers.Target{Sale: "rush", SKUs: rush.SKUs}, 4) // of a SKU whose last buyers wanted the other one too
	require.Zero(t, c.codes()["malformed"])
	stock := map[string]int{"phone": units, "case": units}
	b := c.check(1, stock)
	require.Equal(t, stock, b.units, "answers: %v", c.codes())
	s.emptyBuckets("rush", 2*units)
}
