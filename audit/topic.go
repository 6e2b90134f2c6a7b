package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// clockMargin is the largest difference of the clocks that stamp records: the reading begins this long before the
// sale's start.
const clockMargin = time.Hour

// openTopic prepares the client; it connects at its first use.
func openTopic(o Options) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.KafkaBrokers...), kgo.DialTimeout(dialTimeout), kgo.RetryTimeout(readTimeout),
		kgo.FetchMaxWait(100 * time.Millisecond), kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes),
	}
	if o.KafkaTLS != nil {
		opts = append(opts, kgo.DialTLSConfig(o.KafkaTLS))
	}
	switch o.KafkaMechanism {
	case "":
	case "PLAIN":
		opts = append(opts, kgo.SASL(plain.Auth{User: o.KafkaUsername, Pass: o.KafkaPassword}.AsMechanism()))
	case "SCRAM-SHA-256":
		opts = append(opts, kgo.SASL(scram.Auth{User: o.KafkaUsername, Pass: o.KafkaPassword}.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		opts = append(opts, kgo.SASL(scram.Auth{User: o.KafkaUsername, Pass: o.KafkaPassword}.AsSha512Mechanism()))
	default:
		return nil, fmt.Errorf("kafka.sasl_mechanism %q is unknown", o.KafkaMechanism)
	}
	return kgo.NewClient(opts...)
}

// ends returns the offset of the next record of each partition of the orders topic.
func (a *Auditor) ends(ctx context.Context) (map[int32]int64, error) {
	listed, err := kadm.NewClient(a.topic).ListEndOffsets(ctx, a.options.Topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("read the ends of topic %s: %w", a.options.Topic, err)
	}
	found := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { found[o.Partition] = o.Offset })
	return found, nil
}

// readTopic reads the records from the start of the earliest sale to the given ends.
func (a *Auditor) readTopic(ctx context.Context, from time.Time, ends map[int32]int64, note func([]byte)) error {
	starts, err := a.startsOf(ctx, from)
	if err != nil {
		return err
	}
	left, assigned := map[int32]int64{}, map[int32]kgo.Offset{}
	starts.Each(func(o kadm.ListedOffset) {
		if o.Offset < ends[o.Partition] {
			left[o.Partition], assigned[o.Partition] = ends[o.Partition], kgo.NewOffset().At(o.Offset)
		}
	})
	if len(left) == 0 {
		return nil
	}
	a.topic.AddConsumePartitions(map[string]map[int32]kgo.Offset{a.options.Topic: assigned})
	defer a.topic.RemoveConsumePartitions(map[string][]int32{a.options.Topic: partitionsOf(assigned)})
	for len(left) > 0 {
		fetched, err := a.poll(ctx)
		if err != nil {
			return err
		}
		fetched.EachRecord(func(r *kgo.Record) {
			end, reading := left[r.Partition]
			if reading && r.Offset < end {
				note(r.Value)
			}
			if r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		})
	}
	return nil
}

// poll returns the next records. The client repeats a failed fetch without end, so poll gives up after readTimeout.
func (a *Auditor) poll(ctx context.Context) (kgo.Fetches, error) {
	within, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	fetched := a.topic.PollFetches(within)
	if within.Err() != nil && ctx.Err() == nil && fetched.NumRecords() == 0 {
		return nil, fmt.Errorf("read topic %s: no record came for %s", a.options.Topic, readTimeout)
	}
	var failed []error
	fetched.EachError(func(_ string, partition int32, err error) {
		failed = append(failed, fmt.Errorf("read partition %d of topic %s: %w", partition, a.options.Topic, err))
	})
	return fetched, errors.Join(failed...)
}

// shortened returns the partitions whose first record may not be the first since the start of the earliest sale, because
// records before it were deleted. It is asked after the topic was read, so that it knows of what was deleted meanwhile.
func (a *Auditor) shortened(ctx context.Context, from time.Time) (map[int32]bool, error) {
	client := kadm.NewClient(a.topic)
	first, err := client.ListStartOffsets(ctx, a.options.Topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("read the starts of topic %s: %w", a.options.Topic, err)
	}
	starts, err := a.startsOf(ctx, from)
	if err != nil {
		return nil, err
	}
	found := map[int32]bool{}
	first.Each(func(o kadm.ListedOffset) {
		since, listed := starts.Lookup(o.Topic, o.Partition)
		found[o.Partition] = o.Offset > 0 && (!listed || since.Offset <= o.Offset)
	})
	return found, nil
}

// startsOf returns the first record of each partition since the start of a sale, the end where there is none.
func (a *Auditor) startsOf(ctx context.Context, from time.Time) (kadm.ListedOffsets, error) {
	starts, err := kadm.NewClient(a.topic).ListOffsetsAfterMilli(ctx, from.Add(-clockMargin).UnixMilli(), a.options.Topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("find the sale's start in topic %s: %w", a.options.Topic, err)
	}
	return starts, nil
}

func partitionsOf(offsets map[int32]kgo.Offset) []int32 {
	partitions := make([]int32, 0, len(offsets))
	for p := range offsets {
		partitions = append(partitions, p)
	}
	return partitions
}
