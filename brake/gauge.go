package brake

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
)

// gauge shows the brake. It is a prometheus.Collector that reports only while this process owns the lease, so that a sum over
// the processes is right.
type gauge struct {
	perSecond *prometheus.Desc
	mu        sync.Mutex
	owned     bool
	fresh     bool // the lease was acquired after the last call of anew
	value     int64
}

func newGauge() *gauge {
	return &gauge{perSecond: prometheus.NewDesc("flashsale_brake_per_second",
		"Purchases a second that the engine's brake allows all gateways together. 0 while there is no brake.", nil, nil)}
}

// own records whether this process has the lease.
func (g *gauge) own(owned bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owned, g.value = owned, 0
	g.fresh = g.fresh || owned
}

// anew reports whether the lease was acquired since the last call.
func (g *gauge) anew() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	fresh := g.fresh
	g.fresh = false
	return fresh
}

// show shows a brake, nil for none.
func (g *gauge) show(b *sale.Brake) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.value = 0
	if b != nil {
		g.value = b.PerSecond
	}
}

// Describe is part of prometheus.Collector.
func (g *gauge) Describe(out chan<- *prometheus.Desc) { out <- g.perSecond }

// Collect is part of prometheus.Collector.
func (g *gauge) Collect(out chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.owned {
		out <- prometheus.MustNewConstMetric(g.perSecond, prometheus.GaugeValue, float64(g.value))
	}
}
