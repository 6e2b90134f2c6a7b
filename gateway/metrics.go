package gateway

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/sale"
)

// metrics are the metrics of the gateway. The hot path uses prepared counters and never looks up a label.
type metrics struct {
	counters  [256]prometheus.Counter // flashsale_purchases_total by outcome
	durations *prometheus.HistogramVec
	cells     [routeCount][600]atomic.Pointer[prometheus.Observer] // by route and status
	panics    prometheus.Counter
}

// durationBuckets, in seconds, range from a refusal, which takes microseconds, to the longest wait for an order.
var durationBuckets = []float64{
	.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30,
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flashsale_purchases_total", Help: "Purchase requests by outcome.",
	}, []string{"outcome"})
	m := &metrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "flashsale_http_request_duration_seconds",
			Help:    "Time from a request's last byte to the first byte of its answer.",
			Buckets: durationBuckets,
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
