package settle

import (
	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
)

// Links are the connections to Kafka that the consumer uses inside its sessions.
type Links struct {
	Client   sarama.Client
	Admin    sarama.ClusterAdmin
	Producer sarama.SyncProducer // of dead letters
}

// NewHandler returns the consumer of one process for a group whose sessions somebody else runs, as the simulator does.
// halt hears an error that ends settlement for good.
func NewHandler(o Options, books Books, links Links, halt func(error), registerer prometheus.Registerer) (sarama.ConsumerGroupHandler, error) {
	s, err := New(o, books, registerer)
	if err != nil {
		return nil, err
	}
	at := &positions{client: links.Client, admin: links.Admin, topic: s.topics.Orders, group: GroupOf(o.Namespace)}
	return s.member(links.Producer, at, halt), nil
}

// member is this process's member of a group.
func (s *Settler) member(producer sarama.SyncProducer, at *positions, halt func(error)) *consumer {
	return &consumer{
		settling: &settling{
			books: s.books, metrics: s.metrics, log: s.log, grave: &deadTopic{producer: producer, topic: s.topics.Dead},
		},
		lag: s.lag, pressure: &s.pressure, log: s.log, positions: at, maxRows: s.options.MaxRows, maxBytes: s.options.MaxBytes, halt: halt,
	}
}
