// Package kafkabench gives a test a broker with the topics of one namespace that no other test uses.
package kafkabench

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"flashsale/kafka"
	"flashsale/test/harness"
)

// Bounds of a test.
const (
	Soon       = 20 * time.Second // longer than a rebalance with a member that lets go late
	Often      = 5 * time.Millisecond
	Partitions = 4 // of every topic
)

// Bench is a broker with the topics of one namespace, and a client of it.
type Bench struct {
	testing.TB
	Kafka     kafka.Options
	Namespace string // of the namespace
	Topics    kafka.Topics
	Client    sarama.Client
	Admin     sarama.ClusterAdmin
	Producer  sarama.SyncProducer // places records by hand
}

// OnEvery runs a test against the embedded broker and against a real one, at the same time.
func OnEvery(t *testing.T, test func(*Bench)) {
	t.Helper()
	t.Run("kfake", func(t *testing.T) {
		t.Parallel()
		test(New(t, StartFake(t)))
	})
	t.Run("kafka", func(t *testing.T) {
		t.Parallel()
		test(New(t, harness.SharedKafka(t).Brokers))
	})
}

// StartFake starts an embedded broker for the time of the test.
func StartFake(t *testing.T) (brokers []string) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(t.TempDir()))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()
}

// New creates the topics of a namespace of its own on the brokers, and connects.
func New(t testing.TB, brokers []string) *Bench {
	t.Helper()
	b := &Bench{TB: t, Kafka: kafka.Options{Brokers: brokers}}
	b.Namespace = fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano())
	b.Topics = kafka.TopicsOf(b.Namespace)
	require.NoError(t, kafka.CreateTopics(t.Context(), b.Kafka, b.Namespace, Partitions, 1))
	b.Eventually("the topics", func() bool {
		return kafka.CheckTopics(t.Context(), b.Kafka, b.Namespace, Partitions) == nil
	})
	config, err := b.Kafka.Config()
	require.NoError(t, err)
	config.Consumer.Fetch.Max = 0
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.MaxMessageBytes = 2 << 20
	config.Producer.Return.Successes = true
	b.Client, err = sarama.NewClient(brokers, config)
	require.NoError(t, err)
	b.Admin, err = sarama.NewClusterAdminFromClient(b.Client)
	require.NoError(t, err)
	b.Producer, err = sarama.NewSyncProducerFromClient(b.Client)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.Producer.Close())
		require.NoError(t, b.Client.Close())
	})
	return b
}

// Eventually fails the test when a condition does not hold within Soon.
func (b *Bench) Eventually(what string, condition func() bool) {
	b.Helper()
	require.Eventually(b, condition, Soon, Often, what)
}

// Produce appends a record to a partition of the orders topic.
func (b *Bench) Produce(partition int32, raw []byte) {
	b.Helper()
	message := &sarama.ProducerMessage{Topic: b.Topics.Orders, Partition: partition, Value: sarama.ByteEncoder(raw)}
	_, _, err := b.Producer.SendMessage(message)
	require.NoError(b, err)
}

// Read passes the records of a topic from the oldest on to next, each partition in its order, until next returns false. It
// fails the test when that does not happen within Soon.
func (b *Bench) Read(topic string, next func(*sarama.ConsumerMessage) (more bool)) {
	b.Helper()
	reader, err := sarama.NewConsumerFromClient(b.Client)
	require.NoError(b, err)
	arrived, over := make(chan *sarama.ConsumerMessage), make(chan struct{})
	defer close(over)
	for partition := range int32(Partitions) {
		var r sarama.PartitionConsumer
		b.Eventually("a leader of the partition, which may be made a moment ago", func() bool {
			var err error
			r, err = reader.ConsumePartition(topic, partition, sarama.OffsetOldest)
			return err == nil
		})
		defer r.AsyncClose()
		go func() {
			for message := range r.Messages() {
				select {
				case arrived <- message:
				case <-over:
					return
				}
			}
		}()
	}
	late := time.After(Soon)
	for {
		select {
		case message := <-arrived:
			if !next(message) {
				return
			}
		case <-late:
			b.Fatalf("records of topic %s are missing", topic)
		}
	}
}

// HeadersOf returns the headers of a record by name.
func HeadersOf(message *sarama.ConsumerMessage) map[string]string {
	headers := make(map[string]string)
	for _, h := range message.Headers {
		headers[string(h.Key)] = string(h.Value)
	}
	return headers
}

// Logger returns a logger that writes into the test's log.
func (b *Bench) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(testLog{b}, nil)) }

type testLog struct{ testing.TB }

// Write logs a line.
func (l testLog) Write(line []byte) (int, error) {
	l.Logf("%s", strings.TrimSpace(string(line)))
	return len(line), nil
}
