package admin

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
)

var hotDesc = prometheus.NewDesc("flashsale_hot_sku_rate",
	"Units taken a second, about of the last 10 seconds, of the 10 SKUs of which most are taken.", []string{"sale", "sku"}, nil)

const (
	hotSKUs = 10
	// rateMemory is how fast the rate of a SKU forgets: what was taken so long ago counts a third.
	rateMemory = 10 * time.Second
	// leastRate is shown as 0. A rate only ever halves.
	leastRate = 0.01
)

// rate is how fast units of a SKU are taken.
type rate struct {
	taken int64
	at    time.Time // of taken; zero: not measured yet
	perS  float64
}

// next returns the rate after another reading.
func (r rate) next(sum sale.Stock, now time.Time) rate {
	taken := sum.Settled + sum.InFlight // as on the live screen: all units that were ever taken
	span := now.Sub(r.at)
	if r.at.IsZero() || span <= 0 {
		return rate{taken: taken, at: now, perS: r.perS}
	}
	present := float64(max(0, taken-r.taken)) / span.Seconds()
	weight := 1 - math.Exp(-span.Seconds()/rateMemory.Seconds())
	next := rate{taken: taken, at: now, perS: r.perS + (present-r.perS)*weight}
	if next.perS < leastRate {
		next.perS = 0
	}
	return next
}

// hotMetrics returns the rates of the busiest SKUs. order has every SKU once. Of SKUs that are as busy, those that were shown
// come first and then the earlier ones of order, so that an idle engine shows the same ones all the time. It replaces shown.
func hotMetrics(order [][2]string, sums map[[2]string]exported, shown map[[2]string]bool) []prometheus.Metric {
	type hot struct {
		key  [2]string
		perS float64
	}
	var all []hot
	idle := 0
	for _, key := range order {
		perS := sums[key].rate.perS
		if perS == 0 && !shown[key] {
			if idle++; idle > hotSKUs {
				continue
			}
		}
		all = append(all, hot{key, perS})
	}
	slices.SortStableFunc(all, func(a, b hot) int {
		return cmp.Or(cmp.Compare(b.perS, a.perS), cmp.Compare(oneIf(shown[b.key]), oneIf(shown[a.key])))
	})
	all = all[:min(hotSKUs, len(all))]
	clear(shown)
	metrics := make([]prometheus.Metric, 0, len(all))
	for _, one := range all {
		shown[one.key] = true
		metrics = append(metrics, gauge(hotDesc, one.perS, one.key[0], one.key[1]))
	}
	return metrics
}
