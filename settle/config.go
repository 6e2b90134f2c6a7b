package settle

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"flashsale/kafka"
)

// Times of the group protocol. A dead process loses its partitions after sessionTimeout, the shortest that brokers
// allow by default. A rebalance waits until every member has released its partitions, so a claim may use half of
// rebalanceTimeout to finish its transaction.
const (
	sessionTimeout    = 6 * time.Second
	heartbeatInterval = 1 * time.Second
	rebalanceTimeout  = 10 * time.Second
	drainTimeout      = rebalanceTimeout / 2

	// The answer to a join arrives after the whole rebalance; with a shorter read timeout the member would join again
	// and again.
	readTimeout = rebalanceTimeout + 2*time.Second

	retryBackoff = 250 * time.Millisecond // of sarama's own retries
	// waitingRecords bounds the records that sarama keeps ready for a claim. Records of one order make transactions of
	// at most that many rows, which is where larger ones stop being cheaper.
	waitingRecords = 512
	// metadataRefresh is how soon the group notices that the orders topic has grown.
	metadataRefresh = 10 * time.Second
)

// consumerConfig returns the settings of a consumer that starts at the oldest record, commits nothing by itself and never
// moves an offset on its own.
func consumerConfig(o kafka.Options) (*sarama.Config, error) {
	c, err := o.Config()
	if err != nil {
		return nil, err
	}
	c.ChannelBufferSize = waitingRecords
	c.Net.ReadTimeout = readTimeout
	c.Consumer.Return.Errors = true
	c.Consumer.Retry.Backoff = retryBackoff
	c.Consumer.Fetch.Max = 0 // with a limit sarama would skip a record that is larger
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.ResetInvalidOffsets = false
	c.Consumer.Group.Session.Timeout = sessionTimeout
	c.Consumer.Group.Heartbeat.Interval = heartbeatInterval
	c.Consumer.Group.Rebalance.Timeout = rebalanceTimeout
	c.Consumer.Group.Rebalance.Retry.Backoff = retryBackoff
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("kafka settings: %w", err)
	}
	return c, nil
}

// groupConfig returns the settings of the consumer group's own client: it refreshes the metadata of only one topic, but
// often.
func groupConfig(common *sarama.Config) *sarama.Config {
	c := *common
	c.Metadata.Full = false
	c.Metadata.RefreshFrequency = metadataRefresh
	return &c
}
