package kafka

import (
	"errors"
	"time"

	"github.com/IBM/sarama"
)

// ProducerOptions are the parts of a Producer.
type ProducerOptions struct {
	Kafka   Options
	Topic   string
	Linger  time.Duration // how long a record waits for others to share its request; 0: not at all
	Refused func(error)   // called with the error of each record that Kafka refused; may be nil
}

// Bounds of the producer.
const (
	producerTimeout       = 4 * time.Second
	producerRetries       = 10 // the library allocates a slice of that length for every partition
	producerBackoff       = 50 * time.Millisecond
	producerBackoffMax    = time.Second
	producerBuffered      = 4096 // records that may be queued for the library, and inside it for a retry
	producerBufferedBytes = 64 << 20
)

// config sets acks=all and idempotence with one request in flight, because weaker settings can lose or reorder records.
// Both result channels are on, because the engine answers queued only after the acknowledgement. The caller chooses the
// partition.
func (o ProducerOptions) config() (*sarama.Config, error) {
	if len(o.Kafka.Brokers) == 0 {
		return nil, errors.New("kafka settings: kafka needs a broker")
	}
	c := o.Kafka.common("flashsale-reserve", producerTimeout)
	c.Metadata.Full = false
	c.Metadata.Retry.Max = 2
	c.Metadata.Retry.Backoff = producerBackoff
	c.Metadata.Timeout = producerTimeout
	c.Producer.Idempotent = true
	c.Producer.Timeout = producerTimeout
	c.Producer.MaxMessageBytes = 2 << 20
	c.Producer.Flush.Frequency = o.Linger
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.Retry.Max = producerRetries
	c.Producer.Retry.BackoffFunc = func(retries, _ int) time.Duration {
		return min(producerBackoff<<min(retries, 10), producerBackoffMax)
	}
	c.Producer.Retry.MaxBufferLength = producerBuffered
	c.Producer.Retry.MaxBufferBytes = producerBufferedBytes
	return c, o.Kafka.login(c)
}
