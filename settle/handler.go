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

// Handler is the consumer of one process. Before a partition of a session is read, Found is asked for it.
type Handler interface {
	sarama.ConsumerGroupHandler
	Found(partition int32) bool
}

// NewHandler returns the consumer of one process for a group whose sessions somebody else runs, as the simulator does.
// halt hears an error that ends settlement for good.
func NewHandler(o Options, books Books, links Links, halt func(error), registerer prometheus.Registerer) (Handler, error) {
	s, err := New(o, books, registerer)
	if err != nil {
		return nil, err
	}
	at := &positions{client: links.Client, admin: links.Admin, topic: s.topics.Orders, group: GroupOf(o.Namespace)}
	return s.member(links.Producer, at, func(*places) {}, halt), nil
}

// member is this process's member of a group; present hears of the places of each session.
func (s *Settler) member(producer sarama.SyncProducer, at *positions, present func(*places), halt func(error)) *consumer {
	return &consumer{
		settling: &settling{
			books: s.books, metrics: s.metrics, progress: s.progress, log: s.log,
			grave: &deadTopic{producer: producer, topic: s.topics.Dead, refused: orNobody(s.options.Refused)},
		},
		lag: s.lag, pressure: &s.pressure, log: s.log, positions: at, maxRows: s.options.MaxRows, maxBytes: s.options.MaxBytes,
		progress: s.progress, present: present, halt: halt,
	}
}
