package chaos

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	kafkaWithin  = time.Minute
	againAtOnce  = 20 // records delivered again by one fault
	offsetBehind = 50 // records of each partition that are settled again
)

func split(address string) (host, port string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		panic(err) // our own address
	}
	return host, port
}

// kafkaClient returns a client that connects as the processes do.
func (w *world) kafkaClient(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(w.Kafka.Brokers...))...)
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

// ends returns the offset behind the last record of every partition.
func (w *world) ends(ctx context.Context, client *kgo.Client, topic string) (map[int32]int64, error) {
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID = -1
	of := kmsg.NewListOffsetsRequestTopic()
	of.Topic = topic
	for p := range int32(w.partitions) {
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Partition, part.Timestamp = p, -1
		of.Partitions = append(of.Partitions, part)
	}
	request.Topics = append(request.Topics, of)
	ends := map[int32]int64{}
	for _, shard := range client.RequestSharded(ctx, request) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode == 0 {
					ends[p.Partition] = p.Offset
				}
			}
		}
	}
	return ends, nil
}

// mustEnds returns the present ends of both topics.
func (w *world) mustEnds() map[string]map[int32]int64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*kafkaWithin)
	defer cancel()
	client := w.kafkaClient()
	defer client.Close()
	ends := map[string]map[int32]int64{}
	for _, topic := range []string{w.ordersTopic(), w.eventsTopic()} {
		for len(ends[topic]) < w.partitions {
			var err error
			if ends[topic], err = w.ends(ctx, client, topic); ctx.Err() != nil {
				w.t.Fatalf("where does %s end: %v", topic, err)
			}
		}
	}
	return ends
}

// readAll reads a topic from its end at the beginning of the round to its present end.
func (w *world) readAll(topic string, each func(*kgo.Record)) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*kafkaWithin)
	defer cancel()
	from := map[int32]kgo.Offset{}
	for p, offset := range w.from[topic] {
		from[p] = kgo.NewOffset().At(offset)
	}
	client := w.kafkaClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	defer client.Close()
	ends, err := w.ends(ctx, client, topic)
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	if len(ends) < w.partitions {
		return fmt.Errorf("read %s: only %d partitions have a leader", topic, len(ends))
	}
	for p, end := range ends {
		if end == w.from[topic][p] {
			delete(ends, p)
		}
	}
	for len(ends) > 0 {
		fetched := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("read %s: %d partitions are not at their end: %w", topic, len(ends), ctx.Err())
		}
		fetched.EachRecord(func(r *kgo.Record) {
			each(r)
			if r.Offset+1 >= ends[r.Partition] {
				delete(ends, r.Partition)
			}
		})
	}
	return nil
}

// delivered appends some records of the orders topic once more, as a producer does that missed the acknowledgement.
func delivered(h *hand) deed {
	ctx, cancel := context.WithTimeout(context.Background(), kafkaWithin)
	defer cancel()
	var all []*kgo.Record
	if err := h.w.readAll(h.w.ordersTopic(), func(r *kgo.Record) { all = append(all, r) }); err != nil {
		return nothing("none, because Kafka does not answer: " + err.Error())
	}
	if len(all) == 0 {
		return nothing("none, because there are none yet")
	}
	client := h.w.kafkaClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer client.Close()
	var again []*kgo.Record
	for range againAtOnce {
		r := all[len(all)-1-h.random.IntN(min(len(all), 400))]
		again = append(again, &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers})
	}
	if err := client.ProduceSync(ctx, again...).FirstErr(); err != nil {
		return nothing("some of them, until Kafka did not answer: " + err.Error())
	}
	return nothing(fmt.Sprintf("%d of %d", len(again), len(all)))
}

// offsetsReset ends every settle process, sets the group back in all partitions, and starts them again.
func offsetsReset(h *hand) deed {
	for _, p := range h.w.Settles {
		p.Term()
	}
	restart := func() {
		for _, p := range h.w.Settles {
			p.Restart()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), kafkaWithin)
	defer cancel()
	client := h.w.kafkaClient()
	defer client.Close()
	ends, err := h.w.ends(ctx, client, h.w.ordersTopic())
	if err == nil {
		err = h.w.commitOffsets(ctx, client, ends)
	}
	if err != nil {
		return plain(restart, "not, because Kafka refused: "+err.Error())
	}
	return plain(restart, fmt.Sprintf("by up to %d records", offsetBehind))
}

func (w *world) commitOffsets(ctx context.Context, client *kgo.Client, ends map[int32]int64) error {
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group, request.Generation = w.Name+".settle", -1
	of := kmsg.NewOffsetCommitRequestTopic()
	of.Topic = w.ordersTopic()
	for p, end := range ends {
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset = p, max(end-offsetBehind, 0)
		of.Partitions = append(of.Partitions, part)
	}
	request.Topics = append(request.Topics, of)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return fmt.Errorf("partition %d: error %d", p.Partition, p.ErrorCode)
			}
		}
	}
	return nil
}
