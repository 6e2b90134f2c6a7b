package settle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
)

// oldRecords finds and deletes the records of topics that are older than a moment, by the broker's time.
type oldRecords struct {
	client  sarama.Client
	admin   sarama.ClusterAdmin
	before  time.Time
	deleted *prometheus.CounterVec
}

// everything limits a deletion by the age of the records alone.
func everything(_ int32, end int64) int64 { return end }

// delete deletes the old records of each partition below a limit, which is given the end of the partition. A partition
// that fails does not delay the others.
func (o *oldRecords) delete(ctx context.Context, topic, label string, limit func(partition int32, end int64) int64) error {
	partitions, err := o.client.Partitions(topic)
	if err != nil {
		return fmt.Errorf("read the partitions of topic %s: %w", topic, err)
	}
	upTo, count := map[int32]int64{}, int64(0)
	var failed error
	for _, partition := range partitions {
		first, next, err := o.find(ctx, topic, partition, limit)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("find old records of %s/%d: %w", topic, partition, err))
		} else if next > first {
			upTo[partition] = next
			count += next - first
		}
	}
	if len(upTo) == 0 || ctx.Err() != nil {
		return failed
	}
	if err := o.admin.DeleteRecords(topic, upTo); err != nil {
		return errors.Join(failed, fmt.Errorf("delete old records of topic %s: %w", topic, err))
	}
	o.deleted.WithLabelValues(label).Add(float64(count))
	return failed
}

// find returns the first record that a partition has, and the offset after the last one to delete; the same offset when
// there is none.
func (o *oldRecords) find(ctx context.Context, topic string, partition int32, limit func(int32, int64) int64) (
	first, next int64, err error) {
	if first, err = o.client.GetOffset(topic, partition, sarama.OffsetOldest); err != nil {
		return 0, 0, err
	}
	// The end comes first: a record that arrives later is not below it.
	end, err := o.client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil {
		return 0, 0, err
	}
	if next = min(end, limit(partition, end)); next <= first {
		return first, first, nil
	}
	young, err := o.client.GetOffset(topic, partition, o.before.UnixMilli())
	if err != nil {
		return 0, 0, err
	}
	if young == noOffset {
		young, err = o.youngWithoutAnswer(ctx, topic, partition, first, end)
	}
	return first, max(first, min(next, young)), err
}

// youngWithoutAnswer returns the first young record of a partition of which the broker names none. That need not mean
// that all are old: after its clock was set back, a broker looks for the record in a segment that has no such record any
// more. So the last record decides: when it is young, all count as young.
func (o *oldRecords) youngWithoutAnswer(ctx context.Context, topic string, partition int32, first, end int64) (int64, error) {
	written, err := o.written(ctx, topic, partition, end-1)
	if err != nil || !written.Before(o.before) {
		return first, err
	}
	return end, nil
}

// written returns the time of the record at an offset.
func (o *oldRecords) written(ctx context.Context, topic string, partition int32, offset int64) (at time.Time, err error) {
	consumer, err := sarama.NewConsumerFromClient(o.client)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, consumer.Close()) }()
	claim, err := consumer.ConsumePartition(topic, partition, offset)
	if err != nil {
		return at, err
	}
	defer claim.AsyncClose()
	select {
	case <-ctx.Done():
		return at, context.Cause(ctx)
	case fault, open := <-claim.Errors():
		if !open {
			return at, sarama.ErrClosedClient
		}
		return at, fault
	case message, open := <-claim.Messages():
		if !open || message.Offset != offset {
			return at, fmt.Errorf("record %d cannot be read: %w", offset, sarama.ErrIncompleteResponse)
		}
		return message.Timestamp, nil
	}
}
