package settle

import (
	"flashsale/kafka"
	"log/slog"
	"testing"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestKafkaSettingsThatOrdersDependOn(t *testing.T) {
	c, err := consumerConfig(kafka.Options{Brokers: []string{"127.0.0.1:1"}})
	require.NoError(t, err)
	require.Equal(t, sarama.WaitForAll, c.Producer.RequiredAcks)
	require.Equal(t, sarama.OffsetOldest, c.Consumer.Offsets.Initial)
	require.False(t, c.Consumer.Offsets.AutoCommit.Enable)
	require.False(t, c.Consumer.Group.ResetInvalidOffsets)
	require.False(t, c.Metadata.AllowAutoTopicCreation)
	require.Zero(t, c.Consumer.Fetch.Max, "sarama skips records above the limit")
	require.Zero(t, c.Consumer.Retry.Max, "a partition is never given up")
	require.Less(t, drainTimeout, c.Consumer.Group.Rebalance.Timeout)
	require.Greater(t, c.Net.ReadTimeout, c.Consumer.Group.Rebalance.Timeout)
	require.False(t, c.Net.TLS.Enable)
	require.False(t, c.Net.SASL.Enable)
}

func TestNewNamesTheSettingThatCannotWork(t *testing.T) {
	bad := kafka.Options{SASLMechanism: "PLAIN", Password: "p"}
	_, err := New(Options{Kafka: bad}, newDatabase(), prometheus.NewRegistry())
	require.ErrorContains(t, err, "kafka settings")
}

func TestMetricsAreRegisteredOnce(t *testing.T) {
	registry := prometheus.NewRegistry()
	_, err := New(Options{Log: slog.New(slog.DiscardHandler)}, newDatabase(), registry)
	require.NoError(t, err)
	_, err = New(Options{}, newDatabase(), registry)
	require.ErrorContains(t, err, "register settling metrics")
	families, err := registry.Gather()
	require.NoError(t, err)
	var names []string
	for _, family := range families {
		names = append(names, family.GetName())
	}
	require.Equal(t, []string{"flashsale_dead_letters_total", "flashsale_settle_records_total",
		"flashsale_settle_retries_total", "flashsale_settle_rows_total", "flashsale_settle_stalled_seconds"}, names)
	require.Len(t, families[0].GetMetric(), 3, "every reason is there from the start")
}

func TestNotReadyBeforeKafkaIsReached(t *testing.T) {
	s, err := New(Options{}, newDatabase(), prometheus.NewRegistry())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"kafka": "not reached yet"}, s.Ready())
	s.setKafka("")
	require.Empty(t, s.Ready())
	s.setKafka("draining")
	require.Equal(t, map[string]string{"kafka": "draining"}, s.Ready())
}
