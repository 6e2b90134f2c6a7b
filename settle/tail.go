package settle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"flashsale/kafka"
	"flashsale/sale"
)

// maxTailBytes bounds the records that a Tail keeps. At about 45 bytes an order these are 350,000 orders.
const maxTailBytes = 16 << 20

// tailWait is how long a fetch after the last record may wait. The client has one fetch in flight for all partitions,
// so the next partition waits for it.
const tailWait = 5 * time.Millisecond

// Tail is the unsettled records of the orders topic, those after the database's positions. It keeps what it has read,
// so that a look-up reads only new records, and drops records that are settled. One look-up reads at a time.
type Tail struct {
	kafka kafka.Options
	topic string
	store Store

	reading chan struct{} // contains one token while a look-up runs
	parts   map[int32]*tailPart
	bytes   int
}

// tailPart is the tail of one partition: its records from offset first on. Offsets without a record in between are not
// orders.
type tailPart struct {
	topicID string
	next    int64 // offset to read from
	records []tailRecord
}

type tailRecord struct {
	offset int64
	raw    []byte
}

// NewTail returns an empty tail. It connects for each look-up that finds something new, and closes the connection
// afterwards.
func NewTail(o kafka.Options, namespace string, store Store) *Tail {
	return &Tail{
		kafka: o, topic: kafka.TopicsOf(namespace).Orders, store: store, reading: make(chan struct{}, 1),
		parts: map[int32]*tailPart{},
	}
}

// Queued finds an order in the unsettled records of some partitions. When there are more records than the tail keeps,
// the error is a problem overloaded, because the order may be among the others.
func (t *Tail) Queued(ctx context.Context, partitions []int32, id sale.OrderID) (found sale.PendingOrder, ok bool, err error) {
	select {
	case t.reading <- struct{}{}:
		defer func() { <-t.reading }()
	case <-ctx.Done():
		return found, false, ctx.Err()
	}
	settled, err := t.store.Positions(ctx)
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

// forget drops settled records, and all records of a partition whose topic was recreated.
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

// extend reads each partition up to its present end, or until the tail is full. It drops what a call reads after ctx
// has ended.
func (t *Tail) extend(ctx context.Context, partitions []int32) error {
	config, err := consumerConfig(t.kafka)
	if err != nil {
		return err
	}
	config.Consumer.MaxWaitTime = tailWait
	from := map[int32]int64{}
	for _, p := range partitions {
		if t.parts[p] == nil {
			t.parts[p] = &tailPart{}
		}
		from[p] = t.parts[p].next
	}
	room := maxTailBytes - t.bytes
	var read map[int32][]tailRecord
	err = kafka.Await(ctx, func() (err error) {
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
		return sale.ProblemOf(sale.OutcomeOverloaded, "too many unsettled orders to search for one of them")
	}
	return nil
}

// readTails reads partitions from the given offsets to their ends, and stops when it has read room bytes.
func readTails(ctx context.Context, client sarama.Client, topic string, from map[int32]int64, room int) (
	read map[int32][]tailRecord, err error) {
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, consumer.Close()) }()
	claims, err := claimTails(client, consumer, topic, from)
	defer func() {
		for _, c := range claims {
			c.AsyncClose() // its records are dropped; its errors are those of a connection that is closed next
		}
	}()
	if err != nil {
		return nil, err
	}
	read = map[int32][]tailRecord{}
	for p, c := range claims {
		if read[p], err = c.read(ctx, room); err != nil {
			return nil, fmt.Errorf("partition %d: %w", p, err)
		}
		for _, r := range read[p] {
			room -= len(r.raw)
		}
	}
	return read, nil
}

// tailClaim is one partition with records up to an end.
type tailClaim struct {
	sarama.PartitionConsumer
	end int64
}

// claimTails starts to read every partition with new records before it reads the first: starting takes the library a
// tenth of a second each, which then overlap. It returns the started ones also with an error.
func claimTails(client sarama.Client, consumer sarama.Consumer, topic string, from map[int32]int64) (map[int32]tailClaim, error) {
	claims := map[int32]tailClaim{}
	for p, start := range from {
		oldest, err := client.GetOffset(topic, p, sarama.OffsetOldest)
		if err != nil {
			return claims, err
		}
		end, err := client.GetOffset(topic, p, sarama.OffsetNewest)
		if err != nil {
			return claims, err
		}
		if start = max(start, oldest); start >= end {
			continue
		}
		claim, err := consumer.ConsumePartition(topic, p, start)
		if err != nil {
			return claims, fmt.Errorf("partition %d: %w", p, err)
		}
		claims[p] = tailClaim{claim, end}
	}
	return claims, nil
}

// read reads a partition to its end, or until room bytes are read.
func (c *tailClaim) read(ctx context.Context, room int) (records []tailRecord, err error) {
	for room > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case fault, open := <-c.Errors():
			if !open {
				return nil, sarama.ErrClosedClient
			}
			return nil, fault
		case message, open := <-c.Messages():
			if !open {
				return nil, sarama.ErrClosedClient
			}
			records = append(records, tailRecord{message.Offset, message.Value})
			if room -= len(message.Value); message.Offset+1 >= c.end {
				return records, nil
			}
		}
	}
	return records, nil
}
