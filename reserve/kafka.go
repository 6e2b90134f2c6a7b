package reserve

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/IBM/sarama"

	"flashsale/socket"
)

// KafkaOptions say where Kafka is.
type KafkaOptions struct {
	Brokers       []string
	TLS           bool
	SASLMechanism string // empty, PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username      string
	Password      string
	Refused       func(error)   // hears of records that Kafka did not take; nil: nobody
	Linger        time.Duration // how long a record waits for others to share its request; 0 for not at all
}

// Bounds of the producer.
const (
	kafkaTimeout       = 4 * time.Second
	kafkaRetries       = 10 // a slice of that length is allocated for every partition
	kafkaBackoff       = 50 * time.Millisecond
	kafkaBackoffMax    = time.Second
	kafkaBuffered      = 4096 // records that may wait for the library, and inside it for a retry
	kafkaBufferedBytes = 64 << 20
)

// config: acks=all and idempotent with one request in flight, because everything less can lose or reorder records;
// both result channels on, because queued is said only after the acknowledgement; the partition is ours to choose.
func (o KafkaOptions) config() (*sarama.Config, error) {
	if len(o.Brokers) == 0 {
		return nil, errors.New("kafka needs a broker")
	}
	c := sarama.NewConfig()
	c.ClientID = "flashsale-reserve"
	c.Version = sarama.V2_8_0_0 // the oldest broker that is served; newer ones still speak it
	c.Net.MaxOpenRequests = 1
	c.Net.DialTimeout, c.Net.ReadTimeout, c.Net.WriteTimeout = kafkaTimeout, kafkaTimeout, kafkaTimeout
	c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, socket.Dialer{Dialer: net.Dialer{Timeout: kafkaTimeout}}
	c.Metadata.Full = false
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.Retry.Max = 2
	c.Metadata.Retry.Backoff = kafkaBackoff
	c.Metadata.Timeout = kafkaTimeout
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Producer.Timeout = kafkaTimeout
	c.Producer.MaxMessageBytes = 2 << 20
	c.Producer.Flush.Frequency = o.Linger
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.Retry.Max = kafkaRetries
	c.Producer.Retry.BackoffFunc = func(retries, _ int) time.Duration {
		return min(kafkaBackoff<<min(retries, 10), kafkaBackoffMax)
	}
	c.Producer.Retry.MaxBufferLength = kafkaBuffered
	c.Producer.Retry.MaxBufferBytes = kafkaBufferedBytes
	if o.TLS {
		c.Net.TLS.Enable = true
		c.Net.TLS.Config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if err := o.sasl(c); err != nil {
		return nil, err
	}
	return c, c.Validate()
}

func (o KafkaOptions) sasl(c *sarama.Config) error {
	if o.SASLMechanism == "" {
		return nil
	}
	c.Net.SASL.Enable = true
	c.Net.SASL.User, c.Net.SASL.Password = o.Username, o.Password
	c.Net.SASL.Mechanism = sarama.SASLMechanism(o.SASLMechanism)
	switch o.SASLMechanism {
	case sarama.SASLTypePlaintext:
	case sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512:
		c.Net.SASL.SCRAMClientGeneratorFunc = newSCRAM(c.Net.SASL.Mechanism)
	default:
		return fmt.Errorf("kafka SASL mechanism %q: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 are known", o.SASLMechanism)
	}
	return nil
}
