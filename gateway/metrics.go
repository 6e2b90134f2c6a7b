package gateway

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"flashsale/sale"
	"flashsale/series"
)

// metrics are the metrics of the gateway. The hot path uses prepared counters and never looks up a label.
type metrics struct {
	presses   *series.Family                  // flashsale_purchases_total by sale and outcome
	tokens    [tokenFaults]prometheus.Counter // flashsale_token_refusals_total by reason
	durations *prometheus.HistogramVec
	cells     [routeCount][600]atomic.Pointer[prometheus.Observer] // by route and status
	panics    prometheus.Counter
}

// Bounds of the native histograms, which a scraper gets that asks for them: a bucket is a tenth wider than the one below, and
// where requests of a route and status would need more buckets than that, they become wider. An observation takes about 25 ns
// more for them, and does not allocate.
const (
	nativeFactor  = 1.1
	nativeBuckets = 160
)

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	refusals := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flashsale_token_refusals_total", Help: "Buyers' requests that were answered 401, by what is wrong with the token.",
	}, []string{"reason"})
	m := &metrics{
		presses: series.New(prometheus.CounterOpts{
			Name: "flashsale_purchases_total",
			Help: "Purchase requests by outcome, of the busiest sales by themselves; other: of all other sales, and of none.",
		}, "outcome", outcomeLabels()),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                           "flashsale_http_request_duration_seconds",
			Help:                           "Time from a request's last byte to the first byte of its answer.",
			Buckets:                        sale.LatencyBounds(),
			NativeHistogramBucketFactor:    nativeFactor,
			NativeHistogramMaxBucketNumber: nativeBuckets,
		}, []string{"route", "status"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashsale_panics_total", Help: "Panics that ended one request or one unit of background work.",
		}),
	}
	for fault := tokenMissing; fault < tokenFaults; fault++ { // so that a scrape has all of them from the start
		m.tokens[fault] = refusals.WithLabelValues(fault.String())
	}
	for _, collector := range []prometheus.Collector{m.presses, refusals, m.durations, m.panics} {
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

// purchased counts one purchase request of a sale by its outcome; nil is a request that was refused before its sale was known.
func (m *metrics) purchased(of *liveSale, o sale.Outcome) {
	if of == nil {
		m.presses.Add(int(o), 1)
		return
	}
	of.presses.Add(int(o), 1)
}

// tokenRefused counts one request that was answered 401.
func (m *metrics) tokenRefused(why tokenFault) { m.tokens[why].Inc() }

// served counts one answered request. traceID is that of a request whose trace is kept, else empty: it becomes the exemplar of
// its bucket.
func (m *metrics) served(r route, status int, took time.Duration, traceID string) {
	cell := &m.cells[r][status]
	observer := cell.Load()
	if observer == nil {
		made := m.durations.WithLabelValues(routeNames[r], strconv.Itoa(status))
		observer = &made
		cell.Store(observer)
	}
	if traceID != "" {
		if with, is := (*observer).(prometheus.ExemplarObserver); is { // a histogram of the library is one
			with.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": traceID})
			return
		}
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
