package settle

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the counters of settling.
type metrics struct {
	rows        prometheus.Counter
	records     prometheus.Counter
	retries     prometheus.Counter
	deadLetters *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer, lag *lag, progress *progress) (*metrics, error) {
	m := &metrics{
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashsale_settle_rows_total",
			Help: "Order rows written, refused ones included.",
		}),
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashsale_settle_records_total",
			Help: "Records that have reached their end: settled, now or before, or put into the dead letters.",
		}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashsale_settle_retries_total",
			Help: "Attempts to settle or to store a dead letter that failed and were repeated.",
		}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flashsale_dead_letters_total",
			Help: "Records put into the dead letters.",
		}, []string{"reason"}),
	}
	for _, reason := range poisonReasons() {
		m.deadLetters.WithLabelValues(reason)
	}
	for _, c := range []prometheus.Collector{m.rows, m.records, m.retries, m.deadLetters, lag, progress} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register settling metrics: %w", err)
		}
	}
	return m, nil
}
