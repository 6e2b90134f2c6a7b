package settle

import (
	"fmt"
	"sync"

	"github.com/IBM/sarama"
)

// OffsetError says that a partition cannot be continued where the group left off. Nothing was reset: records may be
// missing, and only an operator can know which.
type OffsetError struct {
	Topic     string
	Partition int32
	Group     string
	Found     string
}

// Error names the partition, what was found, and the way on.
func (e *OffsetError) Error() string {
	return fmt.Sprintf("partition %d of topic %s cannot be continued: %s. No offset was reset. Run \"flashsale audit\", then "+
		"set the offset of group %s by hand: kafka-consumer-groups.sh --group %s --topic %s:%d --reset-offsets --to-earliest --execute",
		e.Partition, e.Topic, e.Found, e.Group, e.Group, e.Topic, e.Partition)
}

// noOffset is what brokers report for a group that has not committed in a partition.
const noOffset = -1

// position is where a group stands in one partition.
type position struct {
	committed int64  // next record to settle, noOffset when the group has never committed
	topicID   string // of the topic that committed belongs to; empty when set by hand
	oldest    int64  // first record that the partition still has
	end       int64  // offset of the next record to be written
}

// start returns the offset to go on from, or what is wrong with it. topicID names the topic as it is now.
func (p position) start(topicID string) (offset int64, fault string) {
	switch {
	case p.committed == noOffset && p.oldest > 0:
		return 0, fmt.Sprintf("the group has no offset and the records before %d are gone", p.oldest)
	case p.committed == noOffset:
		return 0, ""
	case p.topicID != "" && p.topicID != topicID:
		return 0, fmt.Sprintf("offset %d belongs to topic id %s, but the topic was recreated and its id is %s now",
			p.committed, p.topicID, topicID)
	case p.committed > p.end:
		return 0, fmt.Sprintf("offset %d lies beyond the end %d: records were lost or the topic was recreated", p.committed, p.end)
	case p.committed < p.oldest:
		return 0, fmt.Sprintf("the records from %d to %d were deleted before they were settled", p.committed, p.oldest-1)
	}
	return p.committed, ""
}

// positions finds out where the group stands. It remembers the id of the topic, so that a topic recreated under a running
// process is noticed even though brokers forget a group's offsets together with the topic.
type positions struct {
	client sarama.Client
	admin  sarama.ClusterAdmin
	topic  string
	group  string

	mu      sync.Mutex
	knownID string // of the topic that this process reads; empty before the first session
}

// identify returns the id of the topic. The error is an *OffsetError when it is not the one that this process has read so
// far; any other may pass.
func (p *positions) identify() (topicID string, err error) {
	described, err := describe(p.admin, p.topic)
	if err != nil {
		return "", err
	}
	topicID = described.Uuid.String()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.knownID != "" && p.knownID != topicID {
		found := fmt.Sprintf("the topic was recreated: its id was %s and is %s now", p.knownID, topicID)
		return "", &OffsetError{Topic: p.topic, Group: p.group, Found: found}
	}
	p.knownID = topicID
	return topicID, nil
}

// check returns the topic's id and where to go on in each partition. The error is an *OffsetError when a partition cannot
// be continued; any other may pass.
func (p *positions) check(partitions []int32) (topicID string, starts map[int32]int64, err error) {
	if topicID, err = p.identify(); err != nil {
		return "", nil, err
	}
	committed, err := p.admin.ListConsumerGroupOffsets(p.group, map[string][]int32{p.topic: partitions})
	if err != nil {
		return "", nil, fmt.Errorf("read the offsets of group %s: %w", p.group, err)
	}
	starts = make(map[int32]int64, len(partitions))
	for _, partition := range partitions {
		if starts[partition], err = p.startOf(partition, topicID, committed.GetBlock(p.topic, partition)); err != nil {
			return "", nil, err
		}
	}
	return topicID, starts, nil
}

func (p *positions) startOf(partition int32, topicID string, committed *sarama.OffsetFetchResponseBlock) (int64, error) {
	at, err := p.read(partition, committed)
	if err != nil {
		return 0, fmt.Errorf("read the position of %s/%d: %w", p.topic, partition, err)
	}
	start, fault := at.start(topicID)
	if fault != "" {
		return 0, &OffsetError{Topic: p.topic, Partition: partition, Group: p.group, Found: fault}
	}
	return max(start, at.oldest), nil
}

func (p *positions) read(partition int32, committed *sarama.OffsetFetchResponseBlock) (at position, err error) {
	if committed == nil {
		return at, sarama.ErrIncompleteResponse
	}
	if committed.Err != sarama.ErrNoError {
		return at, committed.Err
	}
	at.committed, at.topicID = committed.Offset, committed.Metadata
	if at.oldest, err = p.client.GetOffset(p.topic, partition, sarama.OffsetOldest); err != nil {
		return at, err
	}
	at.end, err = p.client.GetOffset(p.topic, partition, sarama.OffsetNewest)
	return at, err
}
