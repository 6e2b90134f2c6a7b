package replica

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics show which server answers, and how far the replica may be behind. It is a prometheus.Collector.
type metrics struct {
	reads                    *Reads
	lag, used                *prometheus.Desc
	replica, primary, failed prometheus.Counter
	counts                   *prometheus.CounterVec
}

func newMetrics(r *Reads) *metrics {
	counts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flashsale_order_reads_total",
		Help: "Queries of buyers' orders by the server that was asked: replica, primary, or failed for a replica that " +
			"refused or did not answer in time.",
	}, []string{"server"})
	return &metrics{
		reads: r, counts: counts, replica: counts.WithLabelValues("replica"), primary: counts.WithLabelValues("primary"),
		failed: counts.WithLabelValues("failed"),
		lag: prometheus.NewDesc("flashsale_replica_lag_seconds",
			"Bound of the time whose commits the replica of mysql.read_dsn may lack; +Inf while it is unknown.", nil, nil),
		used: prometheus.NewDesc("flashsale_replica_used",
			"1 while the replica of mysql.read_dsn is asked first for buyers' orders, whether it answers or not; 0 while the "+
				"primary alone is asked.", nil, nil),
	}
}

// Describe is part of prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.lag
	out <- m.used
	m.counts.Describe(out)
}

// Collect is part of prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	behind, known := m.reads.Lag.Behind()
	seconds, used := math.Inf(1), 0.0
	if known {
		seconds = behind.Seconds()
	}
	if m.reads.usable() {
		used = 1
	}
	out <- prometheus.MustNewConstMetric(m.lag, prometheus.GaugeValue, seconds)
	out <- prometheus.MustNewConstMetric(m.used, prometheus.GaugeValue, used)
	m.counts.Collect(out)
}
