package reserve

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

// Publisher sends records to the orders topic. done is called once, from another goroutine: nil when every replica has
// the record; an error means unknown, the record may be in the log, and the caller publishes the same bytes again.
// Publish never blocks.
type Publisher interface {
	Publish(partition int32, key, value []byte, done func(error))
}

// Errors of records that were not given to the library.
var (
	errKafkaAway   = errors.New("kafka has not been reached yet")
	errKafkaBusy   = errors.New("too many records wait for kafka")
	errKafkaClosed = errors.New("the producer is closed")
)

const connectRetry = 250 * time.Millisecond

// Producer is the Kafka producer of the orders topic. It connects on its own and goes on trying.
type Producer struct {
	topic   string
	refused func(error)
	ready   atomic.Bool
	queue   chan *sarama.ProducerMessage // the library's own input has no buffer, so it would block or refuse
	stop    context.CancelFunc
	ended   chan struct{} // closed when every record has been answered after Close

	lock   sync.RWMutex // written by Close, so that nobody sends into a closed channel
	closed bool
}

// NewProducer checks the options; the brokers need not be up yet.
func NewProducer(o KafkaOptions, topic string) (*Producer, error) {
	config, err := o.config()
	if err != nil {
		return nil, fmt.Errorf("kafka settings: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Producer{
		topic: topic, queue: make(chan *sarama.ProducerMessage, kafkaBuffered), stop: stop, ended: make(chan struct{}),
	}
	if p.refused = o.Refused; p.refused == nil {
		p.refused = func(error) {}
	}
	go p.run(ctx, o.Brokers, config)
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
	for ctx.Err() == nil {
		async, err := sarama.NewAsyncProducer(brokers, config)
		if err == nil {
			p.ready.Store(true)
			return async, true
		}
		role.Pause(ctx, connectRetry)
	}
	return nil, false
}

// Publish implements Publisher. It fails at once when Kafka was never reached or too many records wait.
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
		return errKafkaClosed
	case !p.ready.Load():
		return errKafkaAway
	}
	message := &sarama.ProducerMessage{
		Topic: p.topic, Partition: partition, Metadata: done,
		Key: sarama.ByteEncoder(key), Value: sarama.ByteEncoder(value),
	}
	select {
	case p.queue <- message:
		return nil
	default:
		return errKafkaBusy
	}
}

// Close flushes what was published and ends the producer; when ctx ends first, the rest is given up: it is in the
// journal, and the relay publishes it.
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
