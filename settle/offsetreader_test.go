package settle

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/sale"

	"flashsale/kafka"
)

// forget takes the database back: every row is gone, and a partition is settled up to an offset, 0 = not at all.
func (d *database) forget(partition int32, from int64, topicID string) {
	positions := d.Snapshot().Positions
	d.renew()
	for _, at := range positions {
		if at.Partition == partition {
			at = sale.Position{Partition: partition, TopicID: topicID, Next: from}
		}
		if at.Next > 0 {
			d.SeedPosition(at)
		}
	}
}

// The database was restored from a moment before: what it lost is settled again, from its own position.
func TestADatabaseThatLostItsTailGetsItBack(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.settleSome(store) // two records in each partition
		store.forget(2, 1, store.position(2).TopicID)
		p := b.start(store)
		b.Eventually("the second record of the partition", func() bool { return store.settledOrders() == 2 })
		b.Eventually("its offset", func() bool { return b.committed()[2] == 2 })
		require.NoError(b, p.stop())
		require.Len(b, store.order, 9, "nothing else was read again")
	})
}

func TestADatabaseThatLostAPartitionGetsItBack(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.settleSome(store)
		store.forget(2, 0, "")
		p := b.start(store)
		b.Eventually("both records of the partition", func() bool { return store.settledOrders() == 4 })
		require.NoError(b, p.stop())
		require.Len(b, store.order, 10)
	})
}

// Brokers delete the offsets of a group that was away for long, and lose the last commit of a process.
func TestAGroupThatLostItsOffsetsGoesOnFromTheDatabase(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.settleSome(store)
		b.Eventually("the group's end", func() bool { return b.Admin.DeleteConsumerGroup(kafka.GroupOf(b.Namespace)) == nil })
		b.produceOrders(900, 4)
		p := b.start(store)
		b.Eventually("the records behind", func() bool { return store.settledOrders() == 24 })
		b.Eventually("offsets", func() bool { return b.totalCommitted() == 12 })
		require.NoError(b, p.stop())
		require.Len(b, store.order, 12, "nothing was read again")
	})
}

// Brokers delete the group's offsets with the topic, so only the database shows that it has settled another topic.
func TestATopicRecreatedWhileNobodyRanIsAnError(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.settleSome(store)
		known := store.position(0).TopicID
		require.NoError(b, CheckPositions(b.Context(), b.Kafka, b.Namespace, store))
		require.NoError(b, b.Admin.DeleteTopic(b.Topics.Orders))
		b.Eventually("creation", func() bool {
			return kafka.CreateTopics(b.Context(), b.Kafka, b.Namespace, partitions, 1) == nil &&
				kafka.CheckTopics(b.Context(), b.Kafka, b.Namespace, partitions) == nil
		})
		b.requireOffsetError(b.start(store), "of topic id "+known+", but the topic was recreated")
		var offset *OffsetError
		require.ErrorAs(b, CheckPositions(b.Context(), b.Kafka, b.Namespace, store), &offset)
		require.Contains(b, offset.Found, "of topic id "+known)
		require.NoError(b, CheckPositions(b.Context(), b.Kafka, b.Namespace, newDatabase()),
			"a database that has settled nothing")
	})
}

func TestASettlerStopsAtADatabaseThatIsBehind(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.produceOrders(1, 8)
		p := b.start(store)
		b.Eventually("orders", func() bool { return store.settledOrders() == 16 })
		young := batchOf("demo", 700, 2)
		young.Epoch = 2
		b.Produce(1, sale.AppendBatch(nil, young))
		require.ErrorIs(b, p.wait(), sale.ErrBehind)
		require.Equal(b, 16, store.settledOrders())
		require.EqualValues(b, 2, b.committed()[1], "its offset was not committed")
	})
}

// When the database is away at the start of a session, the session waits without leaving the group.
func TestASessionWaitsForThePositions(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		store.unread = 8
		b.produceOrders(1, 8)
		p := b.start(store)
		b.Eventually("orders", func() bool { return store.settledOrders() == 16 })
		require.NoError(b, p.stop())
	})
}

// The position in the database also passes the records in the dead letters.
func TestBuriedRecordsArePassed(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		b.Produce(1, recordBytes("demo", 1, 1))
		b.Produce(1, recordBytes("gone", 10, 1))
		b.Produce(1, []byte("garbage"))
		p := b.start(store)
		b.Eventually("the position", func() bool { return store.position(1).Next == 3 })
		b.Eventually("offsets", func() bool { return b.totalCommitted() == 3 })
		require.NoError(b, p.stop())
		added := store.added
		again := b.start(store)
		b.Produce(1, recordBytes("demo", 20, 1))
		b.Eventually("the next record", func() bool { return store.settledOrders() == 2 })
		require.NoError(b, again.stop())
		require.Equal(b, added, store.added, "no record goes to the dead letters twice")
	})
}

// sessionOffsets records the offsets at which a session begins.
type sessionOffsets struct {
	sarama.ConsumerGroupSession
	at map[int32]int64
}

func (s *sessionOffsets) MarkOffset(_ string, partition int32, offset int64, _ string) {
	s.at[partition] = max(s.at[partition], offset)
}

func (s *sessionOffsets) ResetOffset(_ string, partition int32, offset int64, _ string) {
	s.at[partition] = min(s.at[partition], offset)
}

func TestASessionBeginsOnWhicheverSideOfItsOffset(t *testing.T) {
	session := &sessionOffsets{at: map[int32]int64{0: noOffset, 1: 5, 2: 5, 3: 5}}
	starts := map[int32]int64{0: 0, 1: 3, 2: 5, 3: 8}
	for partition, start := range starts {
		begin(session, "t", partition, "A", start)
	}
	require.Equal(t, starts, session.at)
}
