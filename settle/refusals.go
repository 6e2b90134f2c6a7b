package settle

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Refusals counts the records that Kafka did not take from this process and says why, which whoever publishes them again
// and again does not. A topic's first refusal is logged at once, further ones together every faultInterval.
type Refusals struct {
	log    *slog.Logger
	counts *prometheus.CounterVec
}

// NewRefusals registers the metric.
func NewRefusals(registerer prometheus.Registerer, log *slog.Logger) (*Refusals, error) {
	r := &Refusals{log: log, counts: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flashsale_kafka_refused_total",
		Help: "Attempts to publish a record that Kafka refused or did not answer; each is repeated.",
	}, []string{"topic"})}
	if err := registerer.Register(r.counts); err != nil {
		return nil, fmt.Errorf("register the metric of refused records: %w", err)
	}
	return r, nil
}

// Of returns what hears of the refusals of one topic.
func (r *Refusals) Of(topic string) func(error) {
	var mu sync.Mutex
	var said time.Time
	unsaid := 0
	count := r.counts.WithLabelValues(topic)
	return func(err error) {
		count.Inc()
		mu.Lock()
		defer mu.Unlock()
		unsaid++
		if now := time.Now(); said.IsZero() || now.Sub(said) >= faultInterval {
			r.log.Warn("kafka did not take records; they are published again", "topic", topic, "attempts", unsaid, "error", err)
			said, unsaid = now, 0
		}
	}
}

// orNobody is for options that leave out who hears of refusals.
func orNobody(refused func(error)) func(error) {
	if refused == nil {
		return func(error) {}
	}
	return refused
}
