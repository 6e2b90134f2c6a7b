package settle

import (
	"fmt"
	"sync/atomic"

	"github.com/IBM/sarama"
)

// groupClient is the client of the consumer group and answers two of sarama's calls differently. sarama makes them for
// each partition when a session has begun, and ends the whole session when one partition has no valid answer. Here that
// partition waits, and the others continue.
type groupClient struct {
	sarama.Client
	member *consumer
	starts atomic.Pointer[partitionStarts] // of the present session
}

// PartitionNotReadable returns when the partition's start offset is found; sarama calls it before it reads the offset
// to begin at.
func (c *groupClient) PartitionNotReadable(topic string, partition int32) bool {
	if starts := c.starts.Load(); starts != nil {
		if _, found := starts.wait(partition); !found {
			return false // the session is over, which sarama checks next
		}
	}
	return c.Client.PartitionNotReadable(topic, partition)
}

// GetOffset repeats the request until a broker returns an offset whose end is not before the start: a broker that has
// lost the partition's leadership may return an old end. The member finds out separately whether records were lost.
func (c *groupClient) GetOffset(topic string, partition int32, at int64) (int64, error) {
	starts := c.starts.Load()
	if starts == nil || starts.of[partition] == nil {
		return c.Client.GetOffset(topic, partition, at)
	}
	start, _ := starts.wait(partition)
	for failures := 1; ; failures++ {
		offset, err := c.Client.GetOffset(topic, partition, at)
		behind := err == nil && at == sarama.OffsetNewest && offset < start
		if behind {
			err = fmt.Errorf("a broker answered that its end is %d, before %d, where settlement continues", offset, start)
		}
		if err == nil {
			c.member.progress.readable(partition)
			return offset, nil
		}
		if !c.member.tryAgain(starts.ctx, partition, failures, err) || behind && !c.member.recheck(starts, partition) {
			return 0, err
		}
	}
}
