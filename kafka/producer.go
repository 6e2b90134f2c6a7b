package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"

	"flashsale/role"
	"flashsale/sale"
)

// Errors of records that were not given to the library.
var (
	errAway   = errors.New("kafka has not been reached yet")
	errBusy   = errors.New("too many records are queued for kafka")
	errClosed = errors.New("the producer is closed")
)

const (
	connectRetry = 250 * time.Millisecond
	replaceAfter = time.Second // age of the library's producer at which it may be replaced
)

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

// run connects, then moves records into the library and results out of it, until Close has flushed them all. It replaces the
// library's producer when that refuses a partition by itself (see serve).
func (p *Producer) run(ctx context.Context, brokers []string, config *sarama.Config) {
	defer close(p.ended)
	var results sync.WaitGroup
	defer results.Wait()
	for open := true; open; {
		async, connected := p.connect(ctx, brokers, config)
		if !connected { // the producer is closed
			for message := range p.queue {
				answer(message, errClosed)
			}
			return
		}
		open = p.serve(ctx, async, &results)
		p.ready.Store(false)
	}
}

// serve moves records into the library until the producer is closed, and then returns false. It returns true when the library's
// producer has to be replaced: after three failed searches for the leader of a partition the library refuses every record of
// that partition for 10 s, even when Kafka is back meanwhile. The results of all its records come as they do without that.
func (p *Producer) serve(ctx context.Context, async sarama.AsyncProducer, results *sync.WaitGroup) bool {
	refuses, once := make(chan struct{}), sync.Once{}
	results.Go(func() {
		for message := range async.Successes() {
			answer(message, nil)
		}
	})
	results.Go(func() {
		for failure := range async.Errors() {
			if errors.Is(failure.Err, breaker.ErrBreakerOpen) {
				once.Do(func() { close(refuses) })
			}
			p.refused(failure.Err)
			answer(failure.Msg, failure.Err)
		}
	})
	defer async.AsyncClose()
	enough := time.NewTimer(replaceAfter)
	defer enough.Stop()
	for {
		select {
		case <-refuses:
			select {
			case <-enough.C:
			case <-ctx.Done():
			}
			return true
		case message, open := <-p.queue:
			if !open {
				return false
			}
			async.Input() <- message
		}
	}
}

// answer gives a record's publisher the result.
func answer(message *sarama.ProducerMessage, err error) { message.Metadata.(func(error))(err) }

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
// same bytes again. Publish fails at once when Kafka was never reached or too many records are queued. The record carries the
// span under which it is settled, where there is one.
func (p *Producer) Publish(partition int32, key, value []byte, under sale.SpanContext, done func(error)) {
	if err := p.enqueue(partition, key, value, under, done); err != nil {
		go done(err)
	}
}

func (p *Producer) enqueue(partition int32, key, value []byte, under sale.SpanContext, done func(error)) error {
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
	if !under.IsZero() {
		message.Headers = []sarama.RecordHeader{{Key: []byte(sale.Traceparent), Value: []byte(under.Header())}}
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
