package settle

import (
	"context"
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"flashsale/sale"
)

// positions finds out where settlement stands. It remembers the id of the topic, so that a topic recreated under a running
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

// check returns the topic's id and where to go on in each partition, given what the database has settled. The error is an
// *OffsetError when a partition cannot be continued; any other may pass.
func (p *positions) check(partitions []int32, settled []sale.Position) (topicID string, starts map[int32]int64, err error) {
	if topicID, err = p.identify(); err != nil {
		return "", nil, err
	}
	committed, err := p.admin.ListConsumerGroupOffsets(p.group, map[string][]int32{p.topic: partitions})
	if err != nil {
		return "", nil, fmt.Errorf("read the offsets of group %s: %w", p.group, err)
	}
	starts = make(map[int32]int64, len(partitions))
	for _, partition := range partitions {
		at, err := p.read(partition, committed.GetBlock(p.topic, partition))
		if err != nil {
			return "", nil, fmt.Errorf("read the position of %s/%d: %w", p.topic, partition, err)
		}
		at.note(partition, settled)
		start, fault := at.start(topicID)
		if fault != "" {
			return "", nil, &OffsetError{Topic: p.topic, Partition: partition, Group: p.group, Found: fault}
		}
		starts[partition] = start
	}
	return topicID, starts, nil
}

func (p *positions) read(partition int32, committed *sarama.OffsetFetchResponseBlock) (at position, err error) {
	if committed == nil {
		return at, sarama.ErrIncompleteResponse
	}
	if committed.Err != sarama.ErrNoError {
		return at, committed.Err
	}
	at.committed, at.committedID = committed.Offset, committed.Metadata
	if at.oldest, err = p.client.GetOffset(p.topic, partition, sarama.OffsetOldest); err != nil {
		return at, err
	}
	at.end, err = p.client.GetOffset(p.topic, partition, sarama.OffsetNewest)
	return at, err
}

// note takes over what the database has settled of the partition.
func (p *position) note(partition int32, settled []sale.Position) {
	p.settled = noOffset
	for _, s := range settled {
		if s.Partition == partition {
			p.settled, p.settledID = s.Next, s.TopicID
		}
	}
}

// begin has a new session read each partition from its start, whichever side of the group's offset that is.
func begin(session sarama.ConsumerGroupSession, topic, topicID string, starts map[int32]int64) {
	for partition, start := range starts {
		session.MarkOffset(topic, partition, start, topicID)
		session.ResetOffset(topic, partition, start, topicID)
	}
}

// CheckPositions compares the topic with what the database has settled of it. The error is an *OffsetError when the topic
// is another one than the database knows; any other may pass.
func CheckPositions(ctx context.Context, kafka KafkaOptions, namespace string, books Books) error {
	settled, err := books.Positions(ctx)
	if err != nil || len(settled) == 0 {
		return err
	}
	topic := TopicsOf(namespace).Orders
	return withAdmin(ctx, kafka, func(admin sarama.ClusterAdmin) error {
		described, err := describe(admin, topic)
		if err != nil {
			return err
		}
		topicID := described.Uuid.String()
		for _, s := range settled {
			at := position{committed: noOffset, settled: s.Next, settledID: s.TopicID, end: s.Next}
			if fault := at.strange(topicID); fault != "" {
				return &OffsetError{Topic: topic, Partition: s.Partition, Group: GroupOf(namespace), Found: fault}
			}
		}
		return nil
	})
}
