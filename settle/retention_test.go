package settle

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flashsale/kafka"
	"flashsale/sale"
	"flashsale/test/harness"
	"flashsale/test/locked"
	"flashsale/test/memory"
)

// keep is the retention of these tests; old is an age beyond it, young one within it.
const (
	keep  = 24 * time.Hour
	old   = 25 * time.Hour
	young = 23 * time.Hour
)

// retention returns a retention for which a record is proven settled at once.
func (b *bench) retention(store Settled) *Retention {
	b.Helper()
	r, err := NewRetention(RetentionOptions{
		Kafka: b.Kafka, Namespace: b.Namespace, Keep: keep, Settled: store, Leases: memory.New(memory.Options{}), Owner: "me",
		Registerer: prometheus.NewRegistry(), Log: b.Logger(),
	})
	require.NoError(b, err)
	r.proven.after = 0
	return r
}

// agedTopics makes the topics of the namespace keep the producer's time, so that a record can be made old.
func (b *bench) agedTopics() {
	b.Helper()
	own := "CreateTime"
	for _, topic := range []string{b.Topics.Orders, b.Topics.Dead, b.Topics.Events} {
		require.NoError(b, b.Admin.IncrementalAlterConfig(sarama.TopicResource, topic,
			map[string]sarama.IncrementalAlterConfigsEntry{
				"message.timestamp.type": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &own},
			}, false))
	}
	probe := time.Now().Add(-old).Truncate(time.Millisecond)
	reader := &oldRecords{client: b.Client}
	b.Eventually("records with their own time", func() bool { // on partition 3, where no test counts
		_, at, err := b.Producer.SendMessage(&sarama.ProducerMessage{
			Topic: b.Topics.Events, Partition: 3, Value: sarama.StringEncoder("probe"), Timestamp: probe,
		})
		require.NoError(b, err)
		written, err := reader.written(b.Context(), b.Topics.Events, 3, at)
		return err == nil && written.Equal(probe)
	})
}

// put appends records of the given ages to a partition. In the orders topic they are batches of sale demo.
func (b *bench) put(topic string, partition int32, ages ...time.Duration) {
	b.Helper()
	for i, age := range ages {
		raw := recordBytes("demo", time.Now().UnixNano()+int64(i), 1)
		_, _, err := b.Producer.SendMessage(&sarama.ProducerMessage{
			Topic: topic, Partition: partition, Value: sarama.ByteEncoder(raw), Timestamp: time.Now().Add(-age),
		})
		require.NoError(b, err)
	}
}

// settleAll lets a process settle all records of the orders topic, and ends it.
func (b *bench) settleAll(store *database, records int64) {
	b.Helper()
	p := b.start(store)
	b.Eventually("offsets", func() bool { return b.totalCommitted() == records })
	require.NoError(b, p.stop())
}

// firsts returns the first record of partitions 0 to 2 of a topic.
func (b *bench) firsts(topic string) (first [3]int64) {
	b.Helper()
	for partition := range first {
		var err error
		first[partition], err = b.Client.GetOffset(topic, int32(partition), sarama.OffsetOldest)
		require.NoError(b, err)
	}
	return first
}

func TestOldRecordsAreDeletedAndUnsettledOnesStay(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		b.agedTopics()
		store := newDatabase()
		b.put(b.Topics.Orders, 0, old, old, old)
		b.put(b.Topics.Orders, 1, old, young)
		b.put(b.Topics.Orders, 2, old, old)
		b.settleAll(store, 7)
		b.put(b.Topics.Orders, 2, old, old) // settlement is away
		b.put(b.Topics.Dead, 0, old, old)
		b.put(b.Topics.Dead, 2, young)
		b.put(b.Topics.Events, 1, old, young, old)

		r := b.retention(store)
		require.NoError(b, r.look(b.Context()))
		require.Equal(b, [3]int64{3, 1, 2}, b.firsts(b.Topics.Orders))
		require.Equal(b, [3]int64{2, 0, 0}, b.firsts(b.Topics.Dead))
		require.Equal(b, [3]int64{0, 1, 0}, b.firsts(b.Topics.Events))
		require.InDelta(b, 6, testutil.ToFloat64(r.deleted.WithLabelValues("orders")), 0)
		require.InDelta(b, 2, testutil.ToFloat64(r.deleted.WithLabelValues("dead")), 0)

		b.settleAll(store, 9) // goes on after what was deleted
		require.Equal(b, 9, store.settledOrders())
		for range 3 { // the first look notes the positions, the last one finds nothing to delete
			require.NoError(b, r.look(b.Context()))
		}
		require.Equal(b, [3]int64{3, 1, 4}, b.firsts(b.Topics.Orders))
		require.InDelta(b, 8, testutil.ToFloat64(r.deleted.WithLabelValues("orders")), 0)
	})
}

// Settlement starts again from the lower of the two counts, so records above it stay.
func TestRecordsThatWillBeReadAgainStay(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		b.agedTopics()
		store := newDatabase()
		for partition := range int32(3) {
			b.put(b.Topics.Orders, partition, old, old, old)
		}
		b.settleAll(store, 9)
		b.commitByHand(0, 1, "")                      // an operator lets them be settled again
		store.forget(1, 2, store.position(1).TopicID) // a restored database
		require.NoError(b, b.retention(store).look(b.Context()))
		require.Equal(b, [3]int64{1, 2, 3}, b.firsts(b.Topics.Orders))
		b.settleAll(store, 9)
		require.NoError(b, b.retention(store).look(b.Context()))
		require.Equal(b, [3]int64{3, 3, 3}, b.firsts(b.Topics.Orders))
	})
}

// A database that has settled nothing of a partition, or another topic of the same name, says nothing about the records.
func TestPartitionsOfUnknownProgressStayWhole(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		b.agedTopics()
		store := newDatabase()
		for partition := range int32(3) {
			b.put(b.Topics.Orders, partition, old, old)
		}
		require.NoError(b, b.retention(newDatabase()).look(b.Context()))
		b.settleAll(store, 6)
		store.forget(0, 0, "")
		store.forget(1, 2, "AAAAAAAAAAAAAAAAAAAAAA")
		late := b.retention(store)
		late.proven.after = settledFor
		require.NoError(b, late.look(b.Context()))
		require.Equal(b, [3]int64{0, 0, 0}, b.firsts(b.Topics.Orders), "not settled for long enough")
		require.NoError(b, b.retention(store).look(b.Context()))
		require.Equal(b, [3]int64{0, 0, 2}, b.firsts(b.Topics.Orders))
	})
}

// A group whose offsets a broker has deleted starts from the database's positions.
func TestRetentionOfAGroupWithoutOffsets(t *testing.T) {
	b := newBench(t, harness.SharedKafka(t).Brokers)
	b.agedTopics()
	store := newDatabase()
	b.put(b.Topics.Orders, 0, old, old)
	b.settleAll(store, 2)
	b.Eventually("the group's end", func() bool { return b.Admin.DeleteConsumerGroup(kafka.GroupOf(b.Namespace)) == nil })
	require.NoError(b, b.retention(store).look(b.Context()))
	require.Equal(b, [3]int64{2, 0, 0}, b.firsts(b.Topics.Orders))
}

// A broker whose clock was set back may name no young record although there is one: the last record decides.
func TestAPartitionOfWhichTheBrokerNamesNoYoungRecord(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		b.agedTopics()
		b.put(b.Topics.Events, 0, old, young)
		b.put(b.Topics.Events, 1, old, old)
		records := &oldRecords{client: b.Client, before: time.Now().Add(-keep)}
		next, err := records.youngWithoutAnswer(b.Context(), b.Topics.Events, 0, 0, 2)
		require.NoError(b, err)
		require.EqualValues(b, 0, next)
		next, err = records.youngWithoutAnswer(b.Context(), b.Topics.Events, 1, 0, 2)
		require.NoError(b, err)
		require.EqualValues(b, 2, next)
		over, cancel := context.WithCancel(b.Context())
		cancel()
		_, err = records.written(over, b.Topics.Events, 2, 0)
		require.Error(b, err)
	})
}

func TestPositionsAreProvenAfterAWhile(t *testing.T) {
	at := func(next ...int64) (positions []sale.Position) {
		for partition, n := range next {
			positions = append(positions, sale.Position{Partition: int32(partition), TopicID: "A", Next: n})
		}
		return positions
	}
	begin := time.Now()
	p := provenPositions{after: time.Hour}
	require.Empty(t, p.note(begin, at(5, 7)))
	require.Empty(t, p.note(begin.Add(59*time.Minute), at(10, 20)))
	require.Equal(t, at(5, 7), p.note(begin.Add(60*time.Minute), at(11, 21)))
	require.Equal(t, at(4, 7), p.note(begin.Add(61*time.Minute), at(4, 21)), "a database that was restored")
	require.Equal(t, at(5, 7), p.note(begin.Add(119*time.Minute), at(30, 40, 50)))
	require.Equal(t, at(11, 21), p.note(begin.Add(120*time.Minute), at(31, 41, 51)))
	other := at(31, 41, 51)
	other[0].TopicID = "B"
	require.Equal(t, at(0, 41, 51)[1:], p.note(begin.Add(180*time.Minute), other), "another topic")
	require.Empty(t, p.note(begin.Add(181*time.Minute), nil))
}

// A broker without the request costs one line in the log, and no record.
func TestABrokerThatDeletesNoRecords(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(t.TempDir()))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	b := newBench(t, cluster.ListenAddrs())
	b.agedTopics()
	b.put(b.Topics.Events, 0, old)
	cluster.ControlKey(int16(kmsg.DeleteRecords), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked := request.(*kmsg.DeleteRecordsRequest)
		answer := request.ResponseKind().(*kmsg.DeleteRecordsResponse)
		for _, topic := range asked.Topics {
			refused := kmsg.NewDeleteRecordsResponseTopic()
			refused.Topic = topic.Topic
			for _, partition := range topic.Partitions {
				p := kmsg.NewDeleteRecordsResponseTopicPartition()
				p.Partition, p.ErrorCode = partition.Partition, kerr.UnsupportedVersion.Code
				refused.Partitions = append(refused.Partitions, p)
			}
			answer.Topics = append(answer.Topics, refused)
		}
		return answer, nil, true
	})
	r, log := b.retention(newDatabase()), &locked.Buffer{}
	r.Log = slog.New(slog.NewTextHandler(log, nil))
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	b.Eventually("the line", func() bool {
		return strings.Count(log.String(), "old records could not be deleted from the topics and stay") == 1
	})
	cancel()
	<-ended
	require.Equal(b, 1, strings.Count(log.String(), "level=WARN"))
	require.Equal(b, 1, strings.Count(log.String(), "delete old records of topic "+b.Topics.Events))
	require.Equal(b, [3]int64{0, 0, 0}, b.firsts(b.Topics.Events))
	require.Zero(b, testutil.ToFloat64(r.deleted.WithLabelValues("events")))
}

// With the rights that the operators' page names, and not without Delete.
func TestRightsOfRetention(t *testing.T) {
	server := harness.KafkaSecured(t, "fs-settle")
	operator := kafka.Options{
		Brokers: server.Brokers, SASLMechanism: "PLAIN", Username: "operator", Password: harness.PasswordOf("operator"),
	}
	topics := kafka.TopicsOf("shop")
	require.NoError(t, kafka.CreateTopics(t.Context(), operator, "shop", 1, 1))
	client, err := server.ClientOf("")
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	allow := func(operation kadm.ACLOperation, topics ...string) {
		rights := kadm.NewACLs().Allow("User:fs-settle").AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral)
		if operation == kadm.OpRead && len(topics) == 0 {
			rights.Groups(kafka.GroupOf("shop"))
		}
		results, err := admin.CreateACLs(t.Context(), rights.Topics(topics...).Operations(operation))
		require.NoError(t, err)
		for _, result := range results {
			require.NoError(t, result.Err)
		}
	}
	allow(kadm.OpRead)
	allow(kadm.OpRead, topics.Orders, topics.Dead, topics.Events)
	for _, topic := range []string{topics.Orders, topics.Dead, topics.Events} {
		require.Eventually(t, func() bool { return sendAs(t, operator, topic) == nil }, soon, often)
	}
	store := newDatabase()
	described, err := admin.ListTopics(t.Context(), topics.Orders)
	require.NoError(t, err)
	topicID := sarama.Uuid(described[topics.Orders].ID)
	store.SeedPosition(sale.Position{Partition: 0, TopicID: topicID.String(), Next: 1})
	r, err := NewRetention(RetentionOptions{
		Kafka: kafka.Options{
			Brokers: server.Brokers, SASLMechanism: "PLAIN", Username: "fs-settle", Password: harness.PasswordOf("fs-settle"),
		},
		Namespace: "shop", Keep: time.Millisecond, Settled: store, Leases: store, Owner: "me",
		Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	r.proven.after = 0
	require.ErrorContains(t, r.look(t.Context()), "not authorized")
	allow(kadm.OpDelete, topics.Orders, topics.Dead, topics.Events)
	require.Eventually(t, func() bool { return r.look(t.Context()) == nil }, soon, often)
	for _, label := range []string{"orders", "dead", "events"} {
		require.InDelta(t, 1, testutil.ToFloat64(r.deleted.WithLabelValues(label)), 0, label)
	}
}

// sendAs appends one record to the first partition of a topic.
func sendAs(t *testing.T, o kafka.Options, topic string) error {
	t.Helper()
	config, err := o.Config()
	require.NoError(t, err)
	config.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(o.Brokers, config)
	if err != nil {
		return err
	}
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")})
	require.NoError(t, producer.Close())
	return err
}

// unasked are leases that nobody may ask for.
type unasked struct{ testing.TB }

func (u unasked) AcquireLease(context.Context, string, string, time.Duration) (bool, error) {
	u.Error("a lease was asked for")
	return false, nil
}

func (u unasked) ReleaseLease(context.Context, string, string) error { return nil }

func TestRetentionWithoutALimitDoesNothing(t *testing.T) {
	r, err := NewRetention(RetentionOptions{
		Namespace: "shop", Leases: unasked{t}, Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	r.Run(t.Context()) // returns at once
	_, err = NewRetention(RetentionOptions{Kafka: kafka.Options{SASLMechanism: "MAGIC"}})
	require.ErrorContains(t, err, "kafka settings")
	_, err = NewRetention(r.RetentionOptions)
	require.ErrorContains(t, err, "register the metrics of retention")
}
