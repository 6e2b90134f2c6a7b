package harness

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A cluster keeps what it acknowledged when one broker dies and when all do, and takes records while one is away.
func TestKafkaClusterSurvivesItsBrokers(t *testing.T) {
	nodes := KafkaCluster(t, 3, func(direct string) string { return direct })
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(nodes[0].Direct, nodes[1].Direct, nodes[2].Direct), kgo.ConsumeTopics("kept"))
	require.NoError(t, err)
	defer client.Close()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "kept", 1, 3
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Topics = append(create.Topics, topic)
	_, err = create.RequestWith(ctx, client)
	require.NoError(t, err)
	produce := func(text string) {
		require.NoError(t, client.ProduceSync(ctx, &kgo.Record{Topic: "kept", Value: []byte(text)}).FirstErr())
	}
	produce("three")
	nodes[0].Kill()
	produce("two")
	nodes[1].Kill()
	nodes[2].Kill()
	StartTogether(nodes)
	produce("again")
	var read []string
	for len(read) < 3 {
		fetched := client.PollFetches(ctx)
		require.NoError(t, ctx.Err())
		fetched.EachRecord(func(r *kgo.Record) { read = append(read, string(r.Value)) })
	}
	require.Equal(t, []string{"three", "two", "again"}, read)
}
