package settle

import (
	"context"
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"flashsale/kafka"
	"flashsale/sale"
)

// offsetReader finds the offsets at which the partitions are continued. It remembers the id of the topic, so that it
// notices when the topic is recreated while the process runs, although brokers delete a group's offsets together with
// the topic.
type offsetReader struct {
	client sarama.Client
	admin  sarama.ClusterAdmin
	topic  string
	group  string

	mu      sync.Mutex
	knownID string // of the topic that this process reads; empty before the first session
}

// identify returns the id of the topic. The error is an *OffsetError when it differs from the id that this process has
// read before; any other error may be transient.
func (r *offsetReader) identify() (topicID string, err error) {
	described, err := kafka.Describe(r.admin, r.topic)
	if err != nil {
		return "", err
	}
	topicID = described.Uuid.String()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.knownID != "" && r.knownID != topicID {
		found := fmt.Sprintf("the topic was recreated: its id was %s and is now %s", r.knownID, topicID)
		return "", &OffsetError{Topic: r.topic, Group: r.group, Found: found}
	}
	r.knownID = topicID
	return topicID, nil
}

// known returns the id of the topic that this process has read before, empty when there is none.
func (r *offsetReader) known() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.knownID
}

// committed returns the group's offsets.
func (r *offsetReader) committed(partitions []int32) (*sarama.OffsetFetchResponse, error) {
	committed, err := r.admin.ListConsumerGroupOffsets(r.group, map[string][]int32{r.topic: partitions})
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", r.group, err)
	}
	return committed, nil
}

// start returns the offset at which a partition is continued, given what the group and the database have settled; it
// reads the group's offset when that is not given. The error is an *OffsetError when the partition cannot be continued;
// any other error may be transient.
func (r *offsetReader) start(partition int32, topicID string, committed *sarama.OffsetFetchResponseBlock,
	settled []sale.Position) (int64, error) {
	if committed == nil {
		all, err := r.committed([]int32{partition})
		if err != nil {
			return 0, err
		}
		committed = all.GetBlock(r.topic, partition)
	}
	at, err := r.read(partition, committed)
	if err != nil {
		return 0, fmt.Errorf("read the position of %s/%d: %w", r.topic, partition, err)
	}
	at.note(partition, settled)
	start, fault := at.start(topicID)
	if fault != "" {
		return 0, &OffsetError{Topic: r.topic, Partition: partition, Group: r.group, Found: fault}
	}
	return start, nil
}

func (r *offsetReader) read(partition int32, committed *sarama.OffsetFetchResponseBlock) (at partitionOffsets, err error) {
	if committed == nil {
		return at, sarama.ErrIncompleteResponse
	}
	if committed.Err != sarama.ErrNoError {
		return at, committed.Err
	}
	at.committed, at.committedID = committed.Offset, committed.Metadata
	if at.oldest, err = r.client.GetOffset(r.topic, partition, sarama.OffsetOldest); err != nil {
		return at, err
	}
	at.end, err = r.client.GetOffset(r.topic, partition, sarama.OffsetNewest)
	return at, err
}

// note copies what the database has settled of the partition.
func (p *partitionOffsets) note(partition int32, settled []sale.Position) {
	p.settled = noOffset
	for _, s := range settled {
		if s.Partition == partition {
			p.settled, p.settledID = s.Next, s.TopicID
		}
	}
}

// begin makes a session read a partition from its start, whether that is before or after the group's offset.
func begin(session sarama.ConsumerGroupSession, topic string, partition int32, topicID string, start int64) {
	session.MarkOffset(topic, partition, start, topicID)
	session.ResetOffset(topic, partition, start, topicID)
}

// CheckPositions compares the topic with what the database has settled of it. The error is an *OffsetError when the
// database has settled from another topic; any other error may be transient.
func CheckPositions(ctx context.Context, o kafka.Options, namespace string, store Store) error {
	settled, err := store.Positions(ctx)
	if err != nil || len(settled) == 0 {
		return err
	}
	topic := kafka.TopicsOf(namespace).Orders
	return kafka.WithAdmin(ctx, o, func(admin sarama.ClusterAdmin) error {
		described, err := kafka.Describe(admin, topic)
		if err != nil {
			return err
		}
		topicID := described.Uuid.String()
		for _, s := range settled {
			at := partitionOffsets{committed: noOffset, settled: s.Next, settledID: s.TopicID, end: s.Next}
			if fault := at.strange(topicID); fault != "" {
				return &OffsetError{Topic: topic, Partition: s.Partition, Group: kafka.GroupOf(namespace), Found: fault}
			}
		}
		return nil
	})
}
