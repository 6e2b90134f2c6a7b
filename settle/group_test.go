package settle

import (
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
	"flashsale/test/kafkabench"

	"flashsale/kafka"
)

// owners returns how many partitions each process settles.
func owners(processes ...*process) []int {
	counts := make([]int, 0, len(processes))
	for _, p := range processes {
		counts = append(counts, p.claimed())
	}
	return counts
}

// claimed returns how many partitions the process settles now.
func (p *process) claimed() int {
	claimed, _ := p.lag.claims()
	return len(claimed)
}

func TestTwoProcessesShareThePartitions(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		first := b.start(store)
		b.Eventually("the first alone", func() bool { return slices.Equal(owners(first), []int{4}) })
		b.produceOrders(1000, 20)
		second := b.start(store)
		b.Eventually("both", func() bool { return slices.Equal(owners(first, second), []int{2, 2}) })
		b.produceOrders(2000, 20)
		b.Eventually("orders of both", func() bool { return store.settledOrders() == 80 })

		require.NoError(b, first.stop())
		b.produceOrders(3000, 20)
		b.Eventually("orders of the second", func() bool { return store.settledOrders() == 120 })
		b.Eventually("the second alone", func() bool { return slices.Equal(owners(second), []int{4}) })
		b.Eventually("offsets", func() bool { return b.totalCommitted() == 60 })
		require.NoError(b, second.stop())

		require.Equal(b, 120, store.settledOrders())
		require.Len(b, store.order, 60, "handing over in order repeats nothing")
	})
}

// A rebalance that begins during a transaction waits for it; its offset is committed before the partition has its next
// owner.
func TestARevokedPartitionIsDrained(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		store.started, store.gate = make(chan struct{}, 100), make(chan struct{}, 100)
		b.Produce(3, recordBytes("demo", 1, 2))
		first := b.start(store)
		<-store.started // the transaction of the only record is running
		second := b.start(store)
		b.Eventually("the rebalance", func() bool { return first.claimed() == 1 })
		store.gate <- struct{}{}
		b.Eventually("both", func() bool { return slices.Equal(owners(first, second), []int{2, 2}) })
		b.Eventually("the offset", func() bool { return b.committed()[3] == 1 })
		require.NoError(b, first.stop())
		require.NoError(b, second.stop())
		require.Equal(b, []int{1}, store.sizes, "no process settled it again")
	})
}

func TestShutdownFinishesTheTransactionUnderWay(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		store.started, store.gate = make(chan struct{}, 10), make(chan struct{}, 10)
		b.Produce(0, recordBytes("demo", 1, 2))
		p := b.start(store)
		<-store.started
		p.cancel()
		require.Zero(b, b.totalCommitted())
		store.gate <- struct{}{}
		require.NoError(b, p.wait())
		require.Equal(b, 2, store.settledOrders())
		require.Equal(b, int64(1), b.committed()[0])
	})
}

// commitByHand sets the group's offset of a partition as an operator's tool would, while the group has no member.
func (b *bench) commitByHand(partition int32, offset int64, metadata string) {
	b.Helper()
	manager, err := sarama.NewOffsetManagerFromClient(kafka.GroupOf(b.Namespace), b.Client)
	require.NoError(b, err)
	managed, err := manager.ManagePartition(b.Topics.Orders, partition)
	require.NoError(b, err)
	managed.ResetOffset(offset, metadata)
	managed.MarkOffset(offset, metadata)
	manager.Commit()
	managed.AsyncClose()
	require.NoError(b, manager.Close())
	require.Equal(b, offset, b.committed()[partition])
}

// settleSome lets a process settle eight records, two in each partition, and ends it.
func (b *bench) settleSome(store *database) {
	b.Helper()
	b.produceOrders(1, 8)
	p := b.start(store)
	b.Eventually("offsets", func() bool { return b.totalCommitted() == 8 })
	require.NoError(b, p.stop())
}

func (b *bench) requireOffsetError(p *process, found string) {
	b.Helper()
	var offset *OffsetError
	err := p.wait()
	require.ErrorAs(b, err, &offset)
	require.ErrorContains(b, err, found)
	require.Equal(b, b.Topics.Orders, offset.Topic)
	require.Equal(b, kafka.GroupOf(b.Namespace), offset.Group)
}

func TestAnOffsetBeyondTheEndIsAnErrorNotAReset(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.settleSome(store)
		b.commitByHand(2, 500, "")
		before := b.committed()

		b.requireOffsetError(b.start(store), "offset 500 is beyond the end 2")
		require.Equal(b, before, b.committed())
		require.Equal(b, 8, len(store.order))

		b.commitByHand(2, 0, "") // as the operator's instructions say
		p := b.start(store)
		b.Eventually("the partition again", func() bool { return b.committed()[2] == 2 })
		require.NoError(b, p.stop())
		require.Equal(b, 16, store.settledOrders(), "its records were settled before")
	})
}

func TestRecordsDeletedBeforeTheyWereSettledAreAnError(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.settleSome(store)
		b.produceOrders(500, 12)
		require.NoError(b, b.Admin.DeleteRecords(b.Topics.Orders, map[int32]int64{1: 4}))
		b.requireOffsetError(b.start(store), "the records from 2 to 3 were deleted before they were settled")
	})
}

func TestATopicOfAnotherIDIsAnError(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.settleSome(store)
		b.commitByHand(1, 2, "AAAAAAAAAAAAAAAAAAAAAA")
		b.requireOffsetError(b.start(store), "the topic was recreated")
	})
}

// Brokers delete the group's offsets with a topic, so only the running process can find out that the topic is another
// one.
func TestATopicRecreatedUnderARunningProcessIsAnError(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.produceOrders(1, 8)
		p := b.start(store)
		b.Eventually("offsets", func() bool { return b.totalCommitted() == 8 })
		require.NoError(b, b.Admin.DeleteTopic(b.Topics.Orders))
		b.Eventually("creation", func() bool {
			return kafka.CreateTopics(b.Context(), b.Kafka, b.Namespace, partitions, 1) == nil &&
				kafka.CheckTopics(b.Context(), b.Kafka, b.Namespace, partitions) == nil
		})
		b.requireOffsetError(p, "the topic was recreated")
		require.Equal(b, 16, store.settledOrders())
	})
}

// When the process looks again, the new topic may have more records than the old one had. The process must not continue
// in their middle for long, and the records that it left out must not count as settled.
func TestATopicRecreatedAndFilledIsAnError(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.produceOrders(1, 8)
		p := b.start(store)
		b.Eventually("offsets", func() bool { return b.totalCommitted() == 8 })
		require.NoError(b, b.Admin.DeleteTopic(b.Topics.Orders))
		b.Eventually("creation", func() bool {
			return kafka.CreateTopics(b.Context(), b.Kafka, b.Namespace, partitions, 1) == nil
		})
		b.Eventually("records", func() bool {
			_, _, err := b.Producer.SendMessage(&sarama.ProducerMessage{
				Topic: b.Topics.Orders, Partition: 0, Value: sarama.ByteEncoder(recordBytes("demo", 5000, 2)),
			})
			return err == nil
		})
		for i := range 3 * partitions {
			b.Produce(int32(i%partitions), recordBytes("demo", int64(6000+i*10), 2))
		}
		b.requireOffsetError(p, "the topic was recreated")
	})
}

// A broker dies and returns: what it acknowledged is settled, and the process joins the group again by itself.
func TestABrokerThatComesBack(t *testing.T) {
	server := harness.Kafka(t)
	b := newBench(t, server.Brokers)
	store := newDatabase()
	b.produceOrders(1, 8)
	p := b.start(store)
	b.Eventually("orders", func() bool { return store.settledOrders() == 16 })
	server.Kill()
	server.Start()
	b.Eventually("the producer again", func() bool {
		_, _, err := b.Producer.SendMessage(&sarama.ProducerMessage{
			Topic: b.Topics.Orders, Partition: 0, Value: sarama.ByteEncoder(recordBytes("demo", 900, 2)),
		})
		return err == nil
	})
	b.Eventually("orders again", func() bool { return store.settledOrders() == 18 })
	require.Empty(t, p.Ready())
	require.NoError(t, p.stop())
}

func TestAProcessStartsBeforeItsBrokerAndTopics(t *testing.T) {
	server := harness.Kafka(t)
	b := newBench(t, server.Brokers)
	b.produceOrders(1, 4)
	server.Kill()
	store := newDatabase()
	p := b.start(store)
	b.Eventually("a reason", func() bool { return p.Ready()["kafka"] != "not reached yet" })
	require.Contains(t, p.Ready()["kafka"], "reach kafka at")
	server.Start()
	b.Eventually("orders", func() bool { return store.settledOrders() == 8 })
	require.Empty(t, p.Ready())
	require.NoError(t, p.stop())
}

func TestAProcessEndsWhileItsBrokerIsAway(t *testing.T) {
	b := &bench{&kafkabench.Bench{TB: t, Kafka: kafka.Options{Brokers: []string{"127.0.0.1:1"}}, Namespace: "nowhere"}}
	p := b.start(newDatabase())
	b.Eventually("a reason", func() bool { return p.Ready()["kafka"] != "not reached yet" })
	require.NoError(t, p.stop())
}
