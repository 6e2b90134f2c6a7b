package kafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/IBM/sarama"

	"flashsale/sale"
	"flashsale/socket"
)

// Options are the addresses and credentials of the brokers.
type Options struct {
	Brokers       []string    // host:port
	TLS           *tls.Config // nil: connections are not encrypted
	SASLMechanism string      // "", PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username      string
	Password      string
}

const (
	dialTimeout = 3 * time.Second
	// answerTimeout bounds the wait for an answer when the client sets no other timeout.
	answerTimeout = 12 * time.Second
	retryBackoff  = 250 * time.Millisecond // of sarama's own retries
	// requestTimeout is how long a broker may work on a request of the admin or of a Sender.
	requestTimeout = 5 * time.Second
	// maxMessageBytes bounds a record of the topics: a dead letter is the largest, a record and the headers that name its
	// reason.
	maxMessageBytes = 2 * sale.MaxRecordBytes
)

// Config returns sarama's settings of a client for the admin, a Sender, or, with the settings that package settle adds,
// the consumer group. The error names the invalid setting.
func (o Options) Config() (*sarama.Config, error) {
	c := o.common("flashsale-settle", dialTimeout)
	c.Net.ReadTimeout = answerTimeout
	c.Admin.Timeout = requestTimeout
	c.Metadata.Retry.Backoff = retryBackoff
	return c, o.login(c)
}

// common returns the settings that every client shares. One request in flight keeps the order of records. Only
// CreateTopics creates topics, because a topic that a broker creates by itself has a retention limit.
func (o Options) common(clientID string, timeout time.Duration) *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = clientID
	c.Version = sarama.V2_8_0_0 // the oldest supported broker; newer ones still accept it
	c.Net.MaxOpenRequests = 1
	c.Net.DialTimeout, c.Net.ReadTimeout, c.Net.WriteTimeout = timeout, timeout, timeout
	c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, socket.Dialer{Dialer: net.Dialer{Timeout: timeout}}
	c.Metadata.AllowAutoTopicCreation = false
	c.Producer.RequiredAcks = sarama.WaitForAll
	return c
}

// login adds TLS and SASL and validates all settings.
func (o Options) login(c *sarama.Config) error {
	if o.TLS != nil {
		c.Net.TLS.Enable, c.Net.TLS.Config = true, o.TLS.Clone()
	}
	if o.SASLMechanism != "" {
		c.Net.SASL.Enable = true
		c.Net.SASL.User, c.Net.SASL.Password = o.Username, o.Password
		c.Net.SASL.Mechanism = sarama.SASLMechanism(o.SASLMechanism)
	}
	switch c.Net.SASL.Mechanism {
	case "", sarama.SASLTypePlaintext:
	case sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512:
		c.Net.SASL.SCRAMClientGeneratorFunc = newSCRAM(c.Net.SASL.Mechanism)
	default:
		return fmt.Errorf("kafka settings: kafka SASL mechanism %q: it must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
			o.SASLMechanism)
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("kafka settings: %w", err)
	}
	return nil
}

// BoundTo returns settings whose connections end with a context, so that a call on an abandoned client fails at once
// instead of waiting for its timeout.
func BoundTo(until context.Context, common *sarama.Config) *sarama.Config {
	c := *common
	c.Net.Proxy.Dialer = socket.Dialer{Dialer: net.Dialer{Timeout: dialTimeout}, Until: until}
	return &c
}

// Prompt returns settings of a client whose every request is answered within requestTimeout or fails a second later.
func Prompt(common *sarama.Config) *sarama.Config {
	c := *common
	c.Net.ReadTimeout = requestTimeout + time.Second
	return &c
}
