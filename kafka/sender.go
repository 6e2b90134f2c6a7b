package kafka

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

const (
	// maxBatchBytes bounds a partition's part of one request; the topics accept at least twice as much. A larger record
	// makes a batch of its own.
	maxBatchBytes = 512 << 10
	// recordOverhead is more than the format adds to an event, including its header.
	recordOverhead = 160
	// produceVersion is the newest produce request that the oldest supported broker accepts.
	produceVersion = 7
	// noProducer is the value of the identity fields that only idempotent producers use.
	noProducer = -1
)

// Record is a record that a Sender sends. Records of one key share a partition and keep their order there.
type Record struct {
	Key, Value []byte
	Headers    Headers // records may share them
}

// Headers are the headers of a record.
type Headers []*sarama.RecordHeader

// With returns the headers and one more.
func (h Headers) With(name, value string) Headers {
	return append(h[:len(h):len(h)], &sarama.RecordHeader{Key: []byte(name), Value: []byte(value)})
}

// Sender sends pages of records to the leaders of their partitions: per page one batch for each partition and one
// request for each broker. The library's own producer passes every record through five channels, which costs more than
// everything else. Several goroutines may use a Sender; records of one key keep their order when one goroutine sends
// them.
type Sender struct {
	client sarama.Client
	topic  string
	closes bool // whether the client is the Sender's own
}

// OpenSender connects and returns a Sender of a topic.
func OpenSender(o Options, topic string) (*Sender, error) {
	config, err := o.Config()
	if err != nil {
		return nil, err
	}
	client, err := sarama.NewClient(o.Brokers, Prompt(config))
	if err != nil {
		return nil, fmt.Errorf("reach kafka at %v: %w", o.Brokers, err)
	}
	return &Sender{client: client, topic: topic, closes: true}, nil
}

// NewSender returns a Sender that shares a client. Closing it leaves the client open.
func NewSender(client sarama.Client, topic string) *Sender {
	return &Sender{client: client, topic: topic}
}

// Close ends the connections that the Sender has opened.
func (s *Sender) Close() error {
	if !s.closes {
		return nil
	}
	return s.client.Close()
}

// Send returns nil when every replica has every record. After an error it is unknown which of them the topic has.
func (s *Sender) Send(records []Record) error {
	partitions, err := s.client.Partitions(s.topic)
	if err != nil {
		return fmt.Errorf("read the partitions of %s: %w", s.topic, err)
	}
	placing := newPlacement(s.topic, len(partitions))
	for len(records) > 0 {
		batches, n, err := placing.batches(records)
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

// placement gives each record the partition that the library's producer would choose.
type placement struct {
	partitioner sarama.Partitioner
	message     sarama.ProducerMessage // the members of a record that the partitioner reads
	partitions  int32
}

func newPlacement(topic string, partitions int) *placement {
	return &placement{partitioner: sarama.NewHashPartitioner(topic), partitions: int32(partitions)}
}

// batches distributes the first records to their partitions, as many as fit one batch of each, and returns their
// number.
func (p *placement) batches(records []Record) (batches map[int32]*sarama.RecordBatch, n int, err error) {
	batches = make(map[int32]*sarama.RecordBatch, p.partitions)
	bytes := make(map[int32]int, p.partitions)
	now := time.Now()
	made := make([]sarama.Record, len(records))
	for n = range records {
		r := &records[n]
		p.message.Key = sarama.ByteEncoder(r.Key)
		partition, err := p.partitioner.Partition(&p.message, p.partitions)
		if err != nil {
			return nil, 0, err
		}
		size := len(r.Key) + len(r.Value) + recordOverhead
		batch := batches[partition]
		switch {
		case batch == nil:
			batch = &sarama.RecordBatch{
				Version: 2, FirstTimestamp: now, MaxTimestamp: now, LastOffsetDelta: -1,
				ProducerID: noProducer, ProducerEpoch: noProducer, FirstSequence: noProducer,
			}
			batches[partition] = batch
		case bytes[partition]+size > maxBatchBytes:
			return batches, n, nil
		}
		bytes[partition] += size
		batch.LastOffsetDelta++
		made[n] = sarama.Record{Key: r.Key, Value: r.Value, Headers: r.Headers, OffsetDelta: int64(batch.LastOffsetDelta)}
		batch.Records = append(batch.Records, &made[n])
	}
	return batches, len(records), nil
}

// deliver sends batches, and repeats once those that the first attempt did not deliver: a broker may have closed an
// idle connection, or a leader may have moved.
func (s *Sender) deliver(batches map[int32]*sarama.RecordBatch) error {
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
func (s *Sender) attempt(batches map[int32]*sarama.RecordBatch) error {
	byLeader := map[*sarama.Broker][]int32{}
	for partition := range batches {
		leader, err := s.client.Leader(s.topic, partition)
		if err != nil {
			return fmt.Errorf("find the leader of %s/%d: %w", s.topic, partition, err)
		}
		byLeader[leader] = append(byLeader[leader], partition)
	}
	for leader, partitions := range byLeader {
		if err := s.produce(leader, partitions, batches); err != nil {
			return err
		}
	}
	return nil
}

// produce sends one request to a leader and removes the batches that the leader acknowledges.
func (s *Sender) produce(leader *sarama.Broker, partitions []int32, batches map[int32]*sarama.RecordBatch) error {
	request := &sarama.ProduceRequest{
		RequiredAcks: sarama.WaitForAll, Timeout: int32(requestTimeout / time.Millisecond), Version: produceVersion,
	}
	for _, partition := range partitions {
		request.AddBatch(s.topic, partition, batches[partition])
	}
	response, err := leader.Produce(request)
	if err != nil {
		_ = leader.Close() // the connection failed; the next search for the leader opens another
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
	return nil
}
