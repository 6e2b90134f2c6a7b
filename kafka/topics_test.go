package kafka_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/kafka"
	"flashsale/sale"
	"flashsale/test/harness"
	"flashsale/test/kafkabench"
)

func TestMain(m *testing.M) { harness.Main(m) }

// all lists the topics of a namespace.
func all(t kafka.Topics) []string { return []string{t.Orders, t.Dead, t.Events} }

func setting(b *kafkabench.Bench, topic, name string) string {
	b.Helper()
	described, err := b.Admin.DescribeConfigs([]*sarama.ConfigResource{
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

// alter sets a topic's setting as an operator does; an empty value leaves it to the broker's default.
func alter(b *kafkabench.Bench, topic, name, value string) {
	b.Helper()
	entry := sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}
	if value == "" {
		entry = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationDelete}
	}
	require.NoError(b, b.Admin.IncrementalAlterConfig(sarama.TopicResource, topic,
		map[string]sarama.IncrementalAlterConfigsEntry{name: entry}, false))
}

func TestNamesOfANamespace(t *testing.T) {
	require.Equal(t, kafka.Topics{Orders: "shop.orders", Dead: "shop.dead", Events: "shop.events"}, kafka.TopicsOf("shop"))
	require.Equal(t, "shop.settle", kafka.GroupOf("shop"))
}

func TestTopicsKeepTheirRecords(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		for _, topic := range all(b.Topics) {
			require.Equal(b, "-1", setting(b, topic, "retention.ms"))
			require.Equal(b, "-1", setting(b, topic, "retention.bytes"))
			require.Equal(b, "delete", setting(b, topic, "cleanup.policy"))
			require.Equal(b, strconv.Itoa(2*sale.MaxRecordBytes), setting(b, topic, "max.message.bytes"))
			require.Equal(b, "LogAppendTime", setting(b, topic, "message.timestamp.type"))
		}
	})
}

func TestCreateTopicsAgainMendsThemAndGrowsOrdersAlone(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		alter(b, b.Topics.Orders, "retention.ms", "") // as on a topic that a broker made by itself
		alter(b, b.Topics.Orders, "cleanup.policy", "compact")
		alter(b, b.Topics.Orders, "max.message.bytes", "1000")
		b.Eventually("the default", func() bool { return setting(b, b.Topics.Orders, "retention.ms") != "-1" })
		require.Error(b, kafka.CheckTopics(b.Context(), b.Kafka, b.Namespace, 6))
		for range 2 {
			require.NoError(b, kafka.CreateTopics(b.Context(), b.Kafka, b.Namespace, 6, 1))
		}
		b.Eventually("growth", func() bool { return kafka.CheckTopics(b.Context(), b.Kafka, b.Namespace, 6) == nil })
		b.Eventually("mended", func() bool {
			return setting(b, b.Topics.Orders, "retention.ms") == "-1" &&
				setting(b, b.Topics.Orders, "cleanup.policy") == "delete" &&
				setting(b, b.Topics.Orders, "max.message.bytes") == strconv.Itoa(2*sale.MaxRecordBytes)
		})
		events, err := kafka.Describe(b.Admin, b.Topics.Events)
		require.NoError(b, err)
		require.Len(b, events.Partitions, kafkabench.Partitions)

		require.NoError(b, kafka.CreateTopics(b.Context(), b.Kafka, b.Namespace, 2, 1), "topics never shrink")
		require.NoError(b, kafka.CheckTopics(b.Context(), b.Kafka, b.Namespace, 6))
	})
}

// A limit that an operator has set stays, also the engine's own value set by hand, and the engine names those that delete.
func TestCreateTopicsKeepsWhatAnOperatorHasSet(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		alter(b, b.Topics.Orders, "retention.bytes", "5000000000")
		alter(b, b.Topics.Events, "retention.ms", "86400000")
		alter(b, b.Topics.Events, "max.message.bytes", "9000000")
		alter(b, b.Topics.Events, "segment.ms", "3600000")
		b.Eventually("the operator's settings", func() bool { return setting(b, b.Topics.Events, "segment.ms") == "3600000" })
		for range 2 {
			require.NoError(b, kafka.CreateTopics(b.Context(), b.Kafka, b.Namespace, kafkabench.Partitions, 1))
		}
		// The engine sets this one again; once it is there, all that it sets is.
		alter(b, b.Topics.Events, "message.timestamp.type", "CreateTime")
		b.Eventually("the change", func() bool { return setting(b, b.Topics.Events, "message.timestamp.type") == "CreateTime" })
		require.NoError(b, kafka.CreateTopics(b.Context(), b.Kafka, b.Namespace, kafkabench.Partitions, 1))
		b.Eventually("mended", func() bool { return setting(b, b.Topics.Events, "message.timestamp.type") == "LogAppendTime" })
		for topic, want := range map[string]map[string]string{
			b.Topics.Orders: {"retention.ms": "-1", "retention.bytes": "5000000000"},
			b.Topics.Dead:   {"retention.ms": "-1", "retention.bytes": "-1"},
			b.Topics.Events: {"retention.ms": "86400000", "max.message.bytes": "9000000", "segment.ms": "3600000"},
		} {
			for name, value := range want {
				require.Equal(b, value, setting(b, topic, name), "%s of %s", name, topic)
			}
		}
		limits, err := kafka.HandSetRetention(b.Context(), b.Kafka, b.Namespace)
		require.NoError(b, err)
		require.Equal(b, []string{
			b.Topics.Orders + " retention.bytes=5000000000", b.Topics.Events + " retention.ms=86400000",
		}, limits)
	})
}

func TestNoTopicHasAHandSetRetention(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		for _, namespace := range []string{b.Namespace, "no-such-namespace"} {
			limits, err := kafka.HandSetRetention(b.Context(), b.Kafka, namespace)
			require.NoError(b, err)
			require.Empty(b, limits, namespace)
		}
	})
}

func TestCheckTopicsNamesWhatIsMissing(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		err := kafka.CheckTopics(b.Context(), b.Kafka, b.Namespace, kafkabench.Partitions+1)
		require.ErrorContains(b, err, "has 4 partitions, the settings say 5")
		err = kafka.CheckTopics(b.Context(), b.Kafka, "no-such-namespace", 1)
		require.ErrorContains(b, err, `topic no-such-namespace.orders does not exist: run "flashsale migrate"`)
	})
}

func TestTopicsOfABrokerThatIsAway(t *testing.T) {
	away := kafka.Options{Brokers: []string{"127.0.0.1:1"}}
	require.ErrorContains(t, kafka.CheckTopics(t.Context(), away, "shop", 1), "reach kafka at [127.0.0.1:1]")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, kafka.CreateTopics(over, away, "shop", 1, 1), context.Canceled)
	require.ErrorContains(t, kafka.CheckTopics(t.Context(), kafka.Options{SASLMechanism: "MAGIC"}, "shop", 1), "kafka settings")
}

// Brokers refuse records with a producer's time more than an hour ahead. Topics of an earlier version, which kept the
// producer's time, are repaired.
func TestTopicsTakeRecordsOfAClockThatIsAhead(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		own := "CreateTime"
		for _, topic := range all(b.Topics) {
			require.NoError(b, b.Admin.IncrementalAlterConfig(sarama.TopicResource, topic,
				map[string]sarama.IncrementalAlterConfigsEntry{
					"message.timestamp.type": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &own},
				}, false))
		}
		require.NoError(b, kafka.CreateTopics(b.Context(), b.Kafka, b.Namespace, kafkabench.Partitions, 1))
		config, err := b.Kafka.Config()
		require.NoError(b, err)
		config.Producer.Return.Successes = true
		producer, err := sarama.NewSyncProducer(b.Kafka.Brokers, config)
		require.NoError(b, err)
		defer func() { require.NoError(b, producer.Close()) }()
		for _, topic := range all(b.Topics) {
			b.Eventually("mended", func() bool { return setting(b, topic, "message.timestamp.type") == "LogAppendTime" })
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{
				Topic: topic, Value: sarama.StringEncoder("tomorrow"), Timestamp: time.Now().Add(24 * time.Hour),
			})
			require.NoError(b, err, topic)
		}
	})
}
