package settle

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"flashsale/kafka"
)

// Ends reads the ends of the orders topic's partitions, of all of them, whichever process settles them. It opens a client of
// its own at the first reading and keeps it until a reading fails. One goroutine uses it.
type Ends struct {
	options kafka.Options
	config  *sarama.Config
	topic   string

	client sarama.Client
	giveUp context.CancelFunc // ends every connection of the client, so that a pending request fails at once
}

// NewEnds checks the options; Kafka need not be up.
func NewEnds(o kafka.Options, namespace string) (*Ends, error) {
	config, err := o.Config()
	if err != nil {
		return nil, err
	}
	return &Ends{options: o, config: groupConfig(kafka.Prompt(config)), topic: kafka.TopicsOf(namespace).Orders}, nil
}

// Ends returns the offset of the next record to be written, by partition.
func (e *Ends) Ends(ctx context.Context) (ends map[int32]int64, err error) {
	var until context.Context
	if e.client == nil {
		until, e.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	}
	done := make(chan struct{})
	err = kafka.Await(ctx, func() error {
		defer close(done)
		return e.read(until, &ends)
	})
	if err == nil {
		return ends, nil
	}
	e.giveUp()
	<-done
	return nil, errors.Join(fmt.Errorf("read the ends of topic %s: %w", e.topic, err), e.Close())
}

// read opens a client where there is none, with connections that end with until.
func (e *Ends) read(until context.Context, ends *map[int32]int64) (err error) {
	if e.client == nil {
		if e.client, err = sarama.NewClient(e.options.Brokers, kafka.BoundTo(until, e.config)); err != nil {
			e.client = nil // the library returns an interface that holds nil
			return fmt.Errorf("reach kafka at %v: %w", e.options.Brokers, err)
		}
	}
	partitions, err := e.client.Partitions(e.topic)
	if err != nil {
		return fmt.Errorf("reach kafka at %v: %w", e.options.Brokers, err)
	}
	found := make(map[int32]int64, len(partitions))
	for _, partition := range partitions {
		if found[partition], err = e.client.GetOffset(e.topic, partition, sarama.OffsetNewest); err != nil {
			return fmt.Errorf("partition %d: %w", partition, err)
		}
	}
	*ends = found
	return nil
}

// Close closes the client; the next reading opens another.
func (e *Ends) Close() error {
	if e.giveUp != nil {
		e.giveUp()
	}
	client := e.client
	if e.client = nil; client == nil {
		return nil
	}
	return client.Close()
}
