package audit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/test/harness"
)

// TestPartitionsThatAreShortened: a partition counts as shortened when its first record is younger than the sale's start, or
// gone, and records before it were deleted.
func TestPartitionsThatAreShortened(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	topic := fmt.Sprintf("shortened-%d.orders", time.Now().UnixNano())
	a := &Auditor{options: Options{Topic: topic, KafkaBrokers: harness.SharedKafka(t).Brokers}}
	var err error
	a.topic, err = openTopic(a.options)
	require.NoError(t, err)
	defer a.topic.Close()
	client := kadm.NewClient(a.topic)
	byProducer := "CreateTime"
	made, err := client.CreateTopic(ctx, 5, 1, map[string]*string{"message.timestamp.type": &byProducer}, topic)
	require.NoError(t, err)
	require.NoError(t, made.Err)

	producer, err := kgo.NewClient(kgo.SeedBrokers(a.options.KafkaBrokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer producer.Close()
	starts := time.Now().Add(-24 * time.Hour)
	for partition := range int32(4) { // partition 4 stays empty
		for _, at := range []time.Duration{-3 * time.Hour, -2 * time.Hour, time.Hour, 2 * time.Hour} {
			record := &kgo.Record{Topic: topic, Partition: partition, Timestamp: starts.Add(at), Value: []byte("x")}
			require.NoError(t, producer.ProduceSync(ctx, record).FirstErr())
		}
	}
	deleted := kadm.Offsets{}
	deleted.AddOffset(topic, 1, 1, -1) // before the sale alone
	deleted.AddOffset(topic, 2, 3, -1)
	deleted.AddOffset(topic, 3, 4, -1) // all
	results, err := client.DeleteRecords(ctx, deleted)
	require.NoError(t, err)
	require.NoError(t, results.Error())

	found, err := a.shortened(ctx, starts)
	require.NoError(t, err)
	require.Equal(t, map[int32]bool{0: false, 1: false, 2: true, 3: true, 4: false}, found)
	ends, err := a.ends(ctx)
	require.NoError(t, err)
	read := 0
	require.NoError(t, a.readTopic(ctx, starts, ends, func([]byte) { read++ }))
	require.Equal(t, 2+2+1, read, "what is there is read")
}
