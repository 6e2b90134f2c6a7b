package settle

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

// KafkaOptions says how to reach the brokers.
type KafkaOptions struct {
	Brokers       []string // host:port
	TLS           bool
	SASLMechanism string // "", PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username      string
	Password      string
}

// Times of the group protocol. A dead process gives up its partitions after sessionTimeout, the least that brokers
// allow by default. A rebalance waits for every member to let go, so a claim may use half of rebalanceTimeout to finish
// the transaction it is in.
const (
	sessionTimeout    = 6 * time.Second
	heartbeatInterval = 1 * time.Second
	rebalanceTimeout  = 10 * time.Second
	drainTimeout      = rebalanceTimeout / 2

	dialTimeout = 3 * time.Second
	// The answer to a join waits for the whole rebalance; a shorter read timeout would make the member join again and
	// again.
	readTimeout = rebalanceTimeout + 2*time.Second

	retryBackoff = 250 * time.Millisecond // of sarama's own retries
	// waitingRecords bounds the records that sarama keeps ready for a claim. Records of one order make transactions of
	// at most that many rows, which is where larger ones stop being cheaper.
	waitingRecords = 512
	// maxMessageBytes bounds a dead letter: the record and the headers that name its reason. The topics accept as much.
	maxMessageBytes = 2 * sale.MaxRecordBytes

	adminTimeout = 5 * time.Second
	// metadataRefresh is how soon the group notices that the orders topic has grown.
	metadataRefresh = 10 * time.Second
)

// config returns sarama's settings for all that this package does: a consumer that starts at the oldest record, commits
// nothing by itself and never moves an offset on its own, and a producer that waits for every replica.
func (o KafkaOptions) config() (*sarama.Config, error) {
	c := sarama.NewConfig()
	c.ClientID = "flashsale-settle"
	c.Version = sarama.V2_8_0_0 // the oldest broker that is served; newer ones still speak it
	c.ChannelBufferSize = waitingRecords

	c.Net.MaxOpenRequests = 1 // dead letters keep their order
	c.Net.DialTimeout, c.Net.ReadTimeout, c.Net.WriteTimeout = dialTimeout, readTimeout, dialTimeout
	c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, socket.Dialer{Dialer: net.Dialer{Timeout: dialTimeout}}
	c.Admin.Timeout = adminTimeout
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.Retry.Backoff = retryBackoff

	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Timeout = adminTimeout
	c.Producer.MaxMessageBytes = maxMessageBytes
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true

	c.Consumer.Return.Errors = true
	c.Consumer.Retry.Backoff = retryBackoff
	c.Consumer.Fetch.Max = 0 // any limit would make sarama skip a record that is larger
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.ResetInvalidOffsets = false
	c.Consumer.Group.Session.Timeout = sessionTimeout
	c.Consumer.Group.Heartbeat.Interval = heartbeatInterval
	c.Consumer.Group.Rebalance.Timeout = rebalanceTimeout
	c.Consumer.Group.Rebalance.Retry.Backoff = retryBackoff

	o.authenticate(c)
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("kafka settings: %w", err)
	}
	return c, nil
}

// boundTo returns settings whose connections end with a context, so that a client that is given up waits for nothing.
func boundTo(until context.Context, common *sarama.Config) *sarama.Config {
	c := *common
	c.Net.Proxy.Dialer = socket.Dialer{Dialer: net.Dialer{Timeout: dialTimeout}, Until: until}
	return &c
}

// promptConfig returns the settings of a client whose every question is answered within adminTimeout.
func promptConfig(common *sarama.Config) *sarama.Config {
	c := *common
	c.Net.ReadTimeout = adminTimeout + time.Second
	return &c
}

// groupConfig returns the settings of the consumer group's own client: it looks at one topic, but often.
func groupConfig(common *sarama.Config) *sarama.Config {
	c := *common
	c.Metadata.Full = false
	c.Metadata.RefreshFrequency = metadataRefresh
	return &c
}

func (o KafkaOptions) authenticate(c *sarama.Config) {
	if o.TLS {
		c.Net.TLS.Enable = true
		c.Net.TLS.Config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if o.SASLMechanism == "" {
		return
	}
	c.Net.SASL.Enable = true
	c.Net.SASL.Mechanism = sarama.SASLMechanism(o.SASLMechanism)
	c.Net.SASL.User, c.Net.SASL.Password = o.Username, o.Password
	c.Net.SASL.SCRAMClientGeneratorFunc = newSCRAM(c.Net.SASL.Mechanism)
}
