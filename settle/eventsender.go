package settle

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

const (
	// maxEventBatch bounds a partition's part of one request; the topic accepts twice as much and more.
	maxEventBatch = 512 << 10
	// eventOverhead is more than what the format adds to an event, its header included.
	eventOverhead = 160
	// produceVersion is the newest produce request that the oldest broker served understands.
	produceVersion = 7
	// noProducer stands for the identity that only idempotent producers have.
	noProducer = -1
)

// eventSender sends events to the leaders of their partitions: of a page, one batch for each partition and one request
// for each broker. The library's own producer hands every record through five channels, which costs more than all else.
type eventSender struct {
	client     sarama.Client
	topic      string
	placing    sarama.Partitioner
	placed     sarama.ProducerMessage // what the partitioner wants to see of a record
	partitions int32
	headers    []*sarama.RecordHeader
}

func openEventSender(brokers []string, config *sarama.Config, topic string) (*eventSender, error) {
	client, err := sarama.NewClient(brokers, config)
	if err != nil {
		return nil, fmt.Errorf("reach kafka at %v: %w", brokers, err)
	}
	kind := header("content-type", cloudEventsMediaType)
	return &eventSender{
		client: client, topic: topic, placing: sarama.NewHashPartitioner(topic), headers: []*sarama.RecordHeader{&kind},
	}, nil
}

// Close ends the connections.
func (s *eventSender) Close() error { return s.client.Close() }

// send returns nil when every replica has every event. After an error it is not known which of them the topic has.
func (s *eventSender) send(records []eventRecord) error {
	partitions, err := s.client.Partitions(s.topic)
	if err != nil {
		return fmt.Errorf("read the partitions of %s: %w", s.topic, err)
	}
	s.partitions = int32(len(partitions))
	for len(records) > 0 {
		batches, n, err := s.batches(records)
		if err == nil {
			err = s.deliver(batches)
		}
		if err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// batches distributes the first n records to their partitions, as many as fit one batch of each.
func (s *eventSender) batches(records []eventRecord) (batches map[int32]*sarama.RecordBatch, n int, err error) {
	batches = make(map[int32]*sarama.RecordBatch, s.partitions)
	bytes := make(map[int32]int, s.partitions)
	now := time.Now()
	made := make([]sarama.Record, len(records))
	for n = range records {
		s.placed.Key = sarama.ByteEncoder(records[n].key)
		partition, err := s.placing.Partition(&s.placed, s.partitions)
		if err != nil {
			return nil, 0, err
		}
		size := len(records[n].key) + len(records[n].value) + eventOverhead
		batch := batches[partition]
		switch {
		case batch == nil:
			batch = &sarama.RecordBatch{
				Version: 2, FirstTimestamp: now, MaxTimestamp: now, LastOffsetDelta: -1,
				ProducerID: noProducer, ProducerEpoch: noProducer, FirstSequence: noProducer,
			}
			batches[partition] = batch
		case bytes[partition]+size > maxEventBatch:
			return batches, n, nil
		}
		bytes[partition] += size
		batch.LastOffsetDelta++
		made[n] = sarama.Record{
			Key: records[n].key, Value: records[n].value, Headers: s.headers, OffsetDelta: int64(batch.LastOffsetDelta),
		}
		batch.Records = append(batch.Records, &made[n])
	}
	return batches, len(records), nil
}

// deliver sends batches, and what the first attempt did not bring home once more: a connection that was idle may have been
// closed meanwhile, or a leader has moved.
func (s *eventSender) deliver(batches map[int32]*sarama.RecordBatch) error {
	err := s.attempt(batches)
	if err == nil || len(batches) == 0 {
		return err
	}
	if err := s.client.RefreshMetadata(s.topic); err != nil {
		return fmt.Errorf("find the leaders of %s: %w", s.topic, err)
	}
	return s.attempt(batches)
}

// attempt sends batches and removes those that every replica has.
func (s *eventSender) attempt(batches map[int32]*sarama.RecordBatch) error {
	byLeader := map[*sarama.Broker][]int32{}
	for partition := range batches {
		leader, err := s.client.Leader(s.topic, partition)
		if err != nil {
			return fmt.Errorf("find the leader of %s/%d: %w", s.topic, partition, err)
		}
		byLeader[leader] = append(byLeader[leader], partition)
	}
	for leader, partitions := range byLeader {
		request := &sarama.ProduceRequest{
			RequiredAcks: sarama.WaitForAll, Timeout: int32(adminTimeout / time.Millisecond), Version: produceVersion,
		}
		for _, partition := range partitions {
			request.AddBatch(s.topic, partition, batches[partition])
		}
		response, err := leader.Produce(request)
		if err != nil {
			_ = leader.Close() // a connection that failed; looking for the leader opens the next one
			return fmt.Errorf("send to broker %s: %w", leader.Addr(), err)
		}
		for _, partition := range partitions {
			block := response.GetBlock(s.topic, partition)
			switch {
			case block == nil:
				return fmt.Errorf("send to %s/%d: %w", s.topic, partition, sarama.ErrIncompleteResponse)
			case block.Err != sarama.ErrNoError:
				return fmt.Errorf("send to %s/%d: %w", s.topic, partition, block.Err)
			}
			delete(batches, partition)
		}
	}
	return nil
}
