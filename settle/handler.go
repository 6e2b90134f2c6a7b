package settle

import (
	"context"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"flashsale/kafka"
)

// Links are the connections to Kafka that the consumer uses inside its sessions.
type Links struct {
	Client      sarama.Client
	Admin       sarama.ClusterAdmin
	DeadLetters RecordSender
}

// Handler is the consumer of one process. The caller calls Found before it reads a partition of a session, and Rewind beside the
// sessions, which returns when its context ends.
type Handler interface {
	sarama.ConsumerGroupHandler
	Found(partition int32) bool
	Rewind(context.Context)
}

type handler struct {
	*consumer
	*rewinds
}

// NewHandler returns the consumer of one process for a group whose sessions the caller runs, as the simulator does. It
// calls halt with an error that ends settlement permanently.
func NewHandler(o Options, store Store, links Links, halt func(error), registerer prometheus.Registerer) (Handler, error) {
	s, err := New(o, store, registerer)
	if err != nil {
		return nil, err
	}
	offsets := &offsetReader{
		client: links.Client, admin: links.Admin, topic: s.topics.Orders, group: kafka.GroupOf(o.Namespace),
	}
	return handler{s.member(links.DeadLetters, offsets, func(*partitionStarts) {}, halt), s.rewinds()}, nil
}

// member is this process's member of a group. It calls onStarts with the starts of each session.
func (s *Settler) member(deadLetters RecordSender, offsets *offsetReader, onStarts func(*partitionStarts),
	halt func(error)) *consumer {
	refused := s.options.Refused
	if refused == nil {
		refused = func(error) {}
	}
	return &consumer{
		settling: &settling{
			store: s.store, metrics: s.metrics, progress: s.progress, tracer: s.options.Tracer, log: s.log,
			deadLetters: &deadLetterTopic{sender: deadLetters, refused: refused},
		},
		lag: s.lag, pressure: &s.pressure, log: s.log, offsets: offsets, maxRows: s.options.MaxRows, maxBytes: s.options.MaxBytes,
		progress: s.progress, onStarts: onStarts, halt: halt,
	}
}
