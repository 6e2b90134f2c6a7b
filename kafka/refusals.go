package kafka

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// sayEvery is the shortest time between two logged refusals of one topic.
const sayEvery = 10 * time.Second

// Refusals counts the records that Kafka refused from this process and logs the reason, because the publishers repeat a
// record without logging. It logs the first refusal of a topic at once, and further ones together every sayEvery.
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

// Of returns the function that a publisher of one topic calls with each refusal.
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
		if now := time.Now(); said.IsZero() || now.Sub(said) >= sayEvery {
			r.log.Warn("kafka refused records; they will be published again", "topic", topic, "attempts", unsaid, "error", err)
			said, unsaid = now, 0
		}
	}
}
