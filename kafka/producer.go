package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"flashsale/role"
)

// Errors of records that were not given to the library.
var (
	errAway   = errors.New("kafka has not been reached yet")
	errBusy   = errors.New("too many records are queued for kafka")
	errClosed = errors.New("the producer is closed")
)

const connectRetry = 250 * time.Millisecond

// Producer sends records to the orders topic. It connects by itself and repeats failed attempts.
type Producer struct {
	topic   string
	refused func(error)
	ready   atomic.Bool
	queue   chan *sarama.ProducerMessage // the library's own input has no buffer, so it would block or refuse
	stop    context.CancelFunc
	ended   chan struct{} // closed when every record has been answered after Close

	lock   sync.RWMutex // Close locks it for writing, so that no record is sent into a closed channel
	closed bool
}

// NewProducer checks the options; the brokers need not be up yet.
func NewProducer(o ProducerOptions) (*Producer, error) {
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Producer{
		topic: o.Topic, queue: make(chan *sarama.ProducerMessage, producerBuffered), stop: stop, ended: make(chan struct{}),
	}
	if p.refused = o.Refused; p.refused == nil {
		p.refused = func(error) {}
	}
	go p.run(ctx, o.Kafka.Brokers, config)
	return p, nil
}

// Ready reports whether a broker has been reached.
func (p *Producer) Ready() bool { return p.ready.Load() }

// run connects, then moves records into the library and results out of it, until Close has flushed them all.
func (p *Producer) run(ctx context.Context, brokers []string, config *sarama.Config) {
	defer close(p.ended)
	async, ok := p.connect(ctx, brokers, config)
	if !ok {
		return
	}
	var roles sync.WaitGroup
	roles.Go(func() {
		for message := range p.queue {
			async.Input() <- message
		}
		async.AsyncClose()
	})
	roles.Go(func() {
		for message := range async.Successes() {
			message.Metadata.(func(error))(nil)
		}
	})
	roles.Go(func() {
		for failure := range async.Errors() {
			p.refused(failure.Err)
			failure.Msg.Metadata.(func(error))(failure.Err)
		}
	})
	roles.Wait()
}

func (p *Producer) connect(ctx context.Context, brokers []string, config *sarama.Config) (sarama.AsyncProducer, bool) {
	var async sarama.AsyncProducer
	connected := role.Until(ctx, role.Always(connectRetry), func() bool {
		var err error
		async, err = sarama.NewAsyncProducer(brokers, config)
		return err == nil
	})
	p.ready.Store(connected)
	return async, connected
}

// Publish queues a record and never blocks. done is called once, from another goroutine: with nil when every replica
// has the record; with an error when the outcome is unknown: the record may be in the log, and the caller publishes the
// same bytes again. Publish fails at once when Kafka was never reached or too many records are queued.
func (p *Producer) Publish(partition int32, key, value []byte, done func(error)) {
	if err := p.enqueue(partition, key, value, done); err != nil {
		go done(err)
	}
}

func (p *Producer) enqueue(partition int32, key, value []byte, done func(error)) error {
	p.lock.RLock()
	defer p.lock.RUnlock()
	switch {
	case p.closed:
		return errClosed
	case !p.ready.Load():
		return errAway
	}
	message := &sarama.ProducerMessage{
		Topic: p.topic, Partition: partition, Metadata: done,
		Key: sarama.ByteEncoder(key), Value: sarama.ByteEncoder(value),
	}
	select {
	case p.queue <- message:
		return nil
	default:
		return errBusy
	}
}

// Close flushes the published records and ends the producer. When ctx ends first, the remaining records are dropped:
// the journal has them, and the relay publishes them.
func (p *Producer) Close(ctx context.Context) error {
	p.lock.Lock()
	if !p.closed {
		p.closed = true
		close(p.queue)
		p.stop()
	}
	p.lock.Unlock()
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush the producer: %w", ctx.Err())
	}
}
