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

// known returns the id of the topic that this process has read so far, empty when there is none.
func (p *positions) known() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.knownID
}

// committed returns the group's offsets.
func (p *positions) committed(partitions []int32) (*sarama.OffsetFetchResponse, error) {
	committed, err := p.admin.ListConsumerGroupOffsets(p.group, map[string][]int32{p.topic: partitions})
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", p.group, err)
	}
	return committed, nil
}

// start returns where to go on in a partition, given what the group and the database have settled; the group's offset is
// read where it is not given. The error is an *OffsetError when the partition cannot be continued; any other may pass.
func (p *positions) start(partition int32, topicID string, committed *sarama.OffsetFetchResponseBlock,
	settled []sale.Position) (int64, error) {
	if committed == nil {
		all, err := p.committed([]int32{partition})
		if err != nil {
			return 0, err
		}
		committed = all.GetBlock(p.topic, partition)
	}
	at, err := p.read(partition, committed)
	if err != nil {
		return 0, fmt.Errorf("read the position of %s/%d: %w", p.topic, partition, err)
	}
	at.note(partition, settled)
	start, fault := at.start(topicID)
	if fault != "" {
		return 0, &OffsetError{Topic: p.topic, Partition: partition, Group: p.group, Found: fault}
	}
	return start, nil
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

// begin has a session read a partition from its start, whichever side of the group's offset that is.
func begin(session sarama.ConsumerGroupSession, topic string, partition int32, topicID string, start int64) {
	session.MarkOffset(topic, partition, start, topicID)
	session.ResetOffset(topic, partition, start, topicID)
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
