package admin

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// The rate follows what is taken within seconds, forgets it within a minute, and never falls below 0.
func TestRateOfASKU(t *testing.T) {
	now := time.Now()
	r := rate{}.next(sale.Stock{Settled: 1000, InFlight: 500}, now)
	require.Zero(t, r.perS, "the first reading says nothing of the speed")
	taken := int64(1500)
	step := func(units int64) {
		now, taken = now.Add(time.Second), taken+units
		r = r.next(sale.Stock{Settled: taken - 10, InFlight: 10}, now)
	}
	for range 60 {
		step(100)
	}
	require.InDelta(t, 100, r.perS, 1)
	step(-30) // units that come back in Redis later than in the database
	require.Greater(t, r.perS, 80.0)
	for range 20 {
		step(0)
	}
	require.Less(t, r.perS, 15.0)
	for range 120 {
		step(0)
	}
	require.Zero(t, r.perS)
	require.Equal(t, r, r.next(sale.Stock{Settled: taken - 10, InFlight: 10}, now), "no time has passed")
}

func hotOf(t *testing.T, metrics []prometheus.Metric) (order []string) {
	t.Helper()
	for _, m := range metrics {
		var read dto.Metric
		require.NoError(t, m.Write(&read))
		order = append(order, fmt.Sprintf("%s/%s %g", read.GetLabel()[0].GetValue(), read.GetLabel()[1].GetValue(),
			read.GetGauge().GetValue()))
	}
	return order
}

// The ten busiest SKUs are shown, the busiest of them first; idle ones stay where they are, so that series do not come and go.
func TestTheBusiestSKUsAreShown(t *testing.T) {
	var order [][2]string
	sums, shown := map[[2]string]exported{}, map[[2]string]bool{}
	for i := range 40 {
		order = append(order, [2]string{"s", fmt.Sprintf("sku-%02d", i)})
		sums[order[i]] = exported{}
	}
	busy := func(i int, perS float64) { sums[order[i]] = exported{rate: rate{perS: perS}} }
	first := hotOf(t, hotMetrics(order, sums, shown))
	require.Len(t, first, hotSKUs)
	require.Equal(t, "s/sku-00 0", first[0])
	busy(39, 5)
	busy(20, 7)
	require.Equal(t, []string{"s/sku-20 7", "s/sku-39 5", "s/sku-00 0"}, hotOf(t, hotMetrics(order, sums, shown))[:3])
	busy(39, 0)
	busy(20, 0)
	idle := hotOf(t, hotMetrics(order, sums, shown))
	require.Contains(t, idle, "s/sku-39 0", "it keeps its series until another SKU needs the place")
	require.Len(t, shown, hotSKUs)
	for i := range 15 {
		busy(i, float64(100-i))
	}
	full := hotOf(t, hotMetrics(order, sums, shown))
	require.Equal(t, []string{"s/sku-00 100", "s/sku-09 91"}, []string{full[0], full[9]})
	require.Empty(t, hotMetrics(nil, nil, shown))
	require.Empty(t, shown)
}

// The gauges measure the rate from round to round.
func TestGaugesShowHotSKUs(t *testing.T) {
	b := newBench(t)
	b.bring("s", phoneSale, "preload", "open")
	g := gaugeBench(t, b)
	now := time.Now()
	g.watch.now = func() time.Time { return now }
	roundOf(t, g)
	b.sell(first, 4, 3, 1)
	now = now.Add(time.Second)
	roundOf(t, g)
	require.InDelta(t, 0.38, g.sums[[2]string{"s", "phone"}].rate.perS, 0.01, "four units in a second, and a tenth of the memory")
}
