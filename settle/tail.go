package settle

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/IBM/sarama"

	"flashsale/sale"
)

// maxTailBytes bounds the records that a Tail keeps. At some 45 bytes an order these are 350,000 orders.
const maxTailBytes = 16 << 20

// Tail is what the orders topic has behind the database's positions: the records that are not settled. It keeps what it has
// read, so that a look-up reads only what is new, and forgets what was settled. One look-up reads at a time.
type Tail struct {
	kafka KafkaOptions
	topic string
	books Books

	reading chan struct{} // holds one token while a look-up is under way
	parts   map[int32]*tailPart
	bytes   int
}

// tailPart is the tail of one partition: records with offsets from first on, without gaps that matter.
type tailPart struct {
	topicID string
	next    int64 // offset to read from
	records []tailRecord
}

type tailRecord struct {
	offset int64
	raw    []byte
}

// NewTail returns an empty tail. It connects for each look-up that finds something new, and keeps no connection.
func NewTail(kafka KafkaOptions, namespace string, books Books) *Tail {
	return &Tail{
		kafka: kafka, topic: TopicsOf(namespace).Orders, books: books, reading: make(chan struct{}, 1), parts: map[int32]*tailPart{},
	}
}

// Queued finds an order in the unsettled records of some partitions. With more of them than the tail keeps the error is a
// problem overloaded, because nobody can say whether the order is among the rest.
func (t *Tail) Queued(ctx context.Context, partitions []int32, id sale.OrderID) (found sale.PendingOrder, ok bool, err error) {
	select {
	case t.reading <- struct{}{}:
		defer func() { <-t.reading }()
	case <-ctx.Done():
		return found, false, ctx.Err()
	}
	settled, err := t.books.Positions(ctx)
	if err != nil {
		return found, false, err
	}
	t.forget(settled)
	if found, ok = t.find(partitions, id); ok {
		return found, true, nil
	}
	if err := t.extend(ctx, partitions); err != nil {
		return found, false, fmt.Errorf("read the unsettled orders of topic %s: %w", t.topic, err)
	}
	found, ok = t.find(partitions, id)
	return found, ok, nil
}

// forget drops what is settled, and all of a partition whose topic is another one by now.
func (t *Tail) forget(settled []sale.Position) {
	for _, s := range settled {
		part := t.parts[s.Partition]
		if part == nil || part.topicID != s.TopicID {
			part = &tailPart{topicID: s.TopicID}
			t.parts[s.Partition] = part
		}
		part.records = slices.DeleteFunc(part.records, func(r tailRecord) bool { return r.offset < s.Next })
		part.next = max(part.next, s.Next)
	}
	t.bytes = 0
	for _, part := range t.parts {
		for _, r := range part.records {
			t.bytes += len(r.raw)
		}
	}
}

func (t *Tail) find(partitions []int32, id sale.OrderID) (found sale.PendingOrder, ok bool) {
	for _, p := range partitions {
		part := t.parts[p]
		if part == nil {
			continue
		}
		for _, r := range part.records {
			if found, ok = sale.FindPending(r.raw, id); ok {
				found.Status = sale.StatusQueued
				return found, true
			}
		}
	}
	return found, false
}

// extend reads each partition up to its present end, or until the tail is full. What a call that outlives ctx reads is thrown
// away.
func (t *Tail) extend(ctx context.Context, partitions []int32) error {
	config, err := t.kafka.config()
	if err != nil {
		return err
	}
	from := map[int32]int64{}
	for _, p := range partitions {
		if t.parts[p] == nil {
			t.parts[p] = &tailPart{}
		}
		from[p] = t.parts[p].next
	}
	room := maxTailBytes - t.bytes
	var read map[int32][]tailRecord
	err = await(ctx, func() (err error) {
		client, err := sarama.NewClient(t.kafka.Brokers, config)
		if err != nil {
			return fmt.Errorf("reach kafka at %v: %w", t.kafka.Brokers, err)
		}
		defer func() { _ = client.Close() }() // nothing was written
		read, err = readTails(ctx, client, t.topic, from, room)
		return err
	})
	if err != nil {
		return err
	}
	for p, records := range read {
		part := t.parts[p]
		for _, r := range records {
			t.bytes += len(r.raw)
			part.records, part.next = append(part.records, r), r.offset+1
		}
	}
	if t.bytes >= maxTailBytes {
		return sale.ProblemOf(sale.OutcomeOverloaded, "too many orders wait for the database to find one of them")
	}
	return nil
}

// readTails reads partitions from the offsets given to their ends, and stops when it has read room bytes.
func readTails(ctx context.Context, client sarama.Client, topic string, from map[int32]int64, room int) (map[int32][]tailRecord, error) {
	read := map[int32][]tailRecord{}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return nil, err
	}
	for p, start := range from {
		oldest, err := client.GetOffset(topic, p, sarama.OffsetOldest)
		if err != nil {
			return nil, errors.Join(err, consumer.Close())
		}
		end, err := client.GetOffset(topic, p, sarama.OffsetNewest)
		if err != nil {
			return nil, errors.Join(err, consumer.Close())
		}
		if start = max(start, oldest); start >= end || room <= 0 {
			continue
		}
		if read[p], err = readTail(ctx, consumer, topic, p, start, end, room); err != nil {
			return nil, errors.Join(fmt.Errorf("partition %d: %w", p, err), consumer.Close())
		}
		for _, r := range read[p] {
			room -= len(r.raw)
		}
	}
	return read, consumer.Close()
}

// readTail reads one partition from start to end, which has been written.
func readTail(ctx context.Context, consumer sarama.Consumer, topic string, partition int32, start, end int64, room int) (records []tailRecord, err error) {
	claim, err := consumer.ConsumePartition(topic, partition, start)
	if err != nil {
		return nil, err
	}
	defer claim.AsyncClose() // its records are thrown away, its errors are those of a connection that is closed next
	for room > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case fault := <-claim.Errors():
			return nil, fault
		case message := <-claim.Messages():
			records = append(records, tailRecord{message.Offset, message.Value})
			if room -= len(message.Value); message.Offset+1 >= end {
				return records, nil
			}
		}
	}
	return records, nil
}
