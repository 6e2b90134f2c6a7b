package settle

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

func (b *bench) setting(topic, name string) string {
	b.Helper()
	described, err := b.admin.DescribeConfigs([]*sarama.ConfigResource{
		{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{name}},
	}, sarama.DescribeConfigsOptions{})
	require.NoError(b, err)
	require.Len(b, described, 1)
	for _, entry := range described[0].Configs {
		if entry.Name == name {
			return entry.Value
		}
	}
	return ""
}

func TestNamesOfANamespace(t *testing.T) {
	require.Equal(t, Topics{Orders: "shop.orders", Dead: "shop.dead", Events: "shop.events"}, TopicsOf("shop"))
	require.Equal(t, "shop.settle", GroupOf("shop"))
}

func TestTopicsKeepTheirRecords(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		for _, topic := range b.topics.list() {
			require.Equal(b, "-1", b.setting(topic, "retention.ms"))
			require.Equal(b, "-1", b.setting(topic, "retention.bytes"))
			require.Equal(b, "delete", b.setting(topic, "cleanup.policy"))
			require.Equal(b, strconv.Itoa(maxMessageBytes), b.setting(topic, "max.message.bytes"))
			require.Equal(b, "LogAppendTime", b.setting(topic, "message.timestamp.type"))
		}
	})
}

func TestCreateTopicsAgainMendsThemAndGrowsOrdersAlone(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		limit := "60000"
		require.NoError(b, b.admin.IncrementalAlterConfig(sarama.TopicResource, b.topics.Orders,
			map[string]sarama.IncrementalAlterConfigsEntry{
				"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &limit},
			}, false))
		require.Error(b, CheckTopics(b.Context(), b.kafka, b.name, 6))
		for range 2 {
			require.NoError(b, CreateTopics(b.Context(), b.kafka, b.name, 6, 1))
		}
		b.eventually("growth", func() bool { return CheckTopics(b.Context(), b.kafka, b.name, 6) == nil })
		b.eventually("mended", func() bool { return b.setting(b.topics.Orders, "retention.ms") == "-1" })
		events, err := describe(b.admin, b.topics.Events)
		require.NoError(b, err)
		require.Len(b, events.Partitions, partitions)

		require.NoError(b, CreateTopics(b.Context(), b.kafka, b.name, 2, 1), "topics never shrink")
		require.NoError(b, CheckTopics(b.Context(), b.kafka, b.name, 6))
	})
}

func TestCheckTopicsNamesWhatIsMissing(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		err := CheckTopics(b.Context(), b.kafka, b.name, partitions+1)
		require.ErrorContains(b, err, "has 4 partitions, the settings say 5")
		err = CheckTopics(b.Context(), b.kafka, "no-such-namespace", 1)
		require.ErrorContains(b, err, `topic no-such-namespace.orders does not exist: run "flashsale migrate"`)
	})
}

func TestTopicsOfABrokerThatIsAway(t *testing.T) {
	away := KafkaOptions{Brokers: []string{"127.0.0.1:1"}}
	require.ErrorContains(t, CheckTopics(t.Context(), away, "shop", 1), "reach kafka at [127.0.0.1:1]")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, CreateTopics(over, away, "shop", 1, 1), context.Canceled)
	require.ErrorContains(t, CheckTopics(t.Context(), KafkaOptions{SASLMechanism: "MAGIC"}, "shop", 1), "kafka settings")
}

// Brokers refuse records that are more than an hour ahead of them by their own time. Topics of an earlier version, which
// kept the producer's, are mended.
func TestTopicsTakeRecordsOfAClockThatIsAhead(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		own := "CreateTime"
		for _, topic := range b.topics.list() {
			require.NoError(b, b.admin.IncrementalAlterConfig(sarama.TopicResource, topic,
				map[string]sarama.IncrementalAlterConfigsEntry{
					"message.timestamp.type": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &own},
				}, false))
		}
		require.NoError(b, CreateTopics(b.Context(), b.kafka, b.name, partitions, 1))
		config, err := b.kafka.config()
		require.NoError(b, err)
		producer, err := sarama.NewSyncProducer(b.kafka.Brokers, config)
		require.NoError(b, err)
		defer func() { require.NoError(b, producer.Close()) }()
		for _, topic := range b.topics.list() {
			b.eventually("mended", func() bool { return b.setting(topic, "message.timestamp.type") == "LogAppendTime" })
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{
				Topic: topic, Value: sarama.StringEncoder("tomorrow"), Timestamp: time.Now().Add(24 * time.Hour),
			})
			require.NoError(b, err, topic)
		}
	})
}
