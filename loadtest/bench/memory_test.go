package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// million sells one SKU to a million buyers, once: it measures the memory of the gateway, and whether the last orders
// cost more than the first.
func million(b *testing.B) []*Figure {
	s := newStack(b, deployment{})
	s.openSale("rush", 10_000_000)
	s.warm("rush")
	s.setRules()
	s.openSale("million", manyBuyers)
	s.drained()
	cost := &Figure{Name: "gateway after 700,000 to 1,000,000 buyers ÷ after 0 to 300,000", Unit: "CPU µs an order", Target: 1.3}
	redis := &Figure{Name: "  Redis", Unit: "CPU µs an order", Target: 1.3}
	var gatewayCosts, redisCosts []float64
	for from := 0; from < manyBuyers; from += acceptOrders {
		var used []time.Duration
		count, _ := s.take(s.pressesOf("million", from, acceptOrders), func(u []time.Duration) { used = u })
		gatewayCosts = append(gatewayCosts, perRequest(used[0], count.Answers))
		redisCosts = append(redisCosts, perRequest(used[1], count.Answers))
	}
	for n := range repetitions {
		last := len(gatewayCosts) - repetitions + n
		cost.Add(gatewayCosts[last], gatewayCosts[n])
		redis.Add(redisCosts[last], redisCosts[n])
	}
	strangers := s.pressesOf("million", manyBuyers, acceptOrders)
	s.latch(strangers.At(0), s.asks(s.gateway.Listen, "million", "", ""))
	s.costOf(s.gateway.Listen, s.gateway.PID(), acceptConnection, strangers, 409)
	return []*Figure{
		{Name: "gateway that sold a SKU to 1,000,000 buyers and refuses others, once: resident", Unit: "MB", Target: 96,
			Ours: []float64{s.resident("VmRSS")}},
		{Name: "  at the most", Unit: "MB", Ours: []float64{s.resident("VmHWM")}},
		cost, redis,
	}
}

// pressesOf makes presses of the buyers numbered from, with tokens that are new to the gateway.
func (s *stack) pressesOf(saleID string, from, n int) *Requests {
	s.b.Helper()
	requests := &Requests{}
	now := time.Now()
	for i := range n {
		token, err := s.signer.Token(buyerID(from+i), 24*time.Hour, now)
		require.NoError(s.b, err)
		requests.Add(s.asks(s.gateway.Listen, saleID, token, ""))
	}
	return requests
}

// resident reads one size of the gateway's memory from the kernel: VmRSS is the present size, VmHWM the largest.
func (s *stack) resident(size string) float64 {
	s.b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.gateway.PID()))
	require.NoError(s.b, err)
	_, rest, _ := strings.Cut(string(status), size+":")
	kilobytes := 0
	_, err = fmt.Sscan(rest, &kilobytes)
	require.NoError(s.b, err)
	return float64(kilobytes) * 1024 / 1e6
}

// memory measures Redis's memory for a million buyers of one SKU with ids of 36 characters.
func memory(b *testing.B) []*Figure {
	without := &Figure{Name: "Redis memory of 1,000,000 buyers, ids of 36 characters", Unit: "MB", Target: 128}
	with := &Figure{Name: "  with keys of 36 characters", Unit: "MB", Target: 160}
	for _, line := range goBench(b, "./reserve", "^BenchmarkMemory$") {
		without.Ours, with.Ours = append(without.Ours, line["MB-without-keys"]), append(with.Ours, line["MB-with-keys"])
	}
	return []*Figure{without, with}
}
