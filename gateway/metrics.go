package gateway

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"flashsale/sale"
)

// metrics are the metrics of the gateway. The hot path uses prepared counters and never looks up a label.
type metrics struct {
	counters  [256]prometheus.Counter // flashsale_purchases_total by outcome
	durations *prometheus.HistogramVec
	cells     [routeCount][600]atomic.Pointer[prometheus.Observer] // by route and status
	panics    prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flashsale_purchases_total", Help: "Purchase requests by outcome.",
	}, []string{"outcome"})
	m := &metrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "flashsale_http_request_duration_seconds",
			Help:    "Time from a request's last byte to the first byte of its answer.",
			Buckets: sale.LatencyBounds(),
		}, []string{"route", "status"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashsale_panics_total", Help: "Panics that ended one request or one unit of background work.",
		}),
	}
	for _, o := range sale.Outcomes() { // so that a scrape has all of them from the start
		m.counters[o] = outcomes.WithLabelValues(o.String())
	}
	for _, collector := range []prometheus.Collector{outcomes, m.durations, m.panics} {
		if err := registerer.Register(collector); err != nil {
			return nil, fmt.Errorf("register gateway metrics: %w", err)
		}
	}
	return m, nil
}

// connectionGauge is the metric of the open connections, by which gateways are scaled.
func (g *Gateway) connectionGauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flashsale_buyer_connections", Help: "Open connections of buyers.",
	}, func() float64 { return float64(g.connections()) })
}

// purchased counts one purchase request by its outcome.
func (m *metrics) purchased(o sale.Outcome) { m.counters[o].Inc() }

// served counts one answered request.
func (m *metrics) served(r route, status int, took time.Duration) {
	cell := &m.cells[r][status]
	observer := cell.Load()
	if observer == nil {
		made := m.durations.WithLabelValues(routeNames[r], strconv.Itoa(status))
		observer = &made
		cell.Store(observer)
	}
	(*observer).Observe(took.Seconds())
}

// latencyOf returns the histogram of a route's requests of every status.
func (m *metrics) latencyOf(r route) sale.Latency {
	var sum sale.Latency
	for status := range m.cells[r] {
		observer := m.cells[r][status].Load()
		if observer == nil {
			continue
		}
		var read dto.Metric
		histogram, is := (*observer).(prometheus.Metric)
		if !is || histogram.Write(&read) != nil { // a histogram of the library always writes
			continue
		}
		one, below := make(sale.Latency, sale.LatencyBuckets), uint64(0)
		for i, bucket := range read.GetHistogram().GetBucket() { // their counts are cumulative
			one[i], below = int64(bucket.GetCumulativeCount()-below), bucket.GetCumulativeCount()
		}
		one[sale.LatencyBuckets-1] = int64(read.GetHistogram().GetSampleCount() - below)
		sum = sum.Add(one)
	}
	return sum
}
