package settle

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

// forget takes the database back: everything from a partition's offset on is as if it had never been written.
func (b *fakeBooks) forget(partition int32, from int64, topicID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows, b.markers = map[sale.OrderID]int{}, map[marker]bool{}
	delete(b.settled, partition)
	if from > 0 {
		b.settled[partition] = sale.Position{Partition: partition, TopicID: topicID, Next: from}
	}
}

func (b *fakeBooks) topicOf(partition int32) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settled[partition].TopicID
}

// The database was restored from a moment before: what it lost is settled again, from its own position.
func TestADatabaseThatLostItsTailGetsItBack(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		b.settleSome(books) // two records in each partition
		books.forget(2, 1, books.topicOf(2))
		p := b.start(books)
		b.eventually("the second record of the partition", func() bool { return books.settledOrders() == 2 })
		b.eventually("its offset", func() bool { return b.committed()[2] == 2 })
		require.NoError(b, p.stop())
		require.Len(b, books.order, 9, "nothing else was read again")
	})
}

func TestADatabaseThatLostAPartitionGetsItBack(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		b.settleSome(books)
		books.forget(2, 0, "")
		p := b.start(books)
		b.eventually("both records of the partition", func() bool { return books.settledOrders() == 4 })
		require.NoError(b, p.stop())
		require.Len(b, books.order, 10)
	})
}

// Brokers forget the offsets of a group that was away for long, and lose what a process committed last.
func TestAGroupThatLostItsOffsetsGoesOnFromTheDatabase(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		b.settleSome(books)
		b.eventually("the group's end", func() bool { return b.admin.DeleteConsumerGroup(GroupOf(b.name)) == nil })
		b.produceOrders(900, 4)
		p := b.start(books)
		b.eventually("the records behind", func() bool { return books.settledOrders() == 24 })
		b.eventually("offsets", func() bool { return b.totalCommitted() == 12 })
		require.NoError(b, p.stop())
		require.Len(b, books.order, 12, "nothing was read again")
	})
}

// The group's offsets go with the topic, so only the database can tell that it settled another one.
func TestATopicRecreatedWhileNobodyRanIsAnError(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		b.settleSome(books)
		known := books.topicOf(0)
		require.NoError(b, CheckPositions(b.Context(), b.kafka, b.name, books))
		require.NoError(b, b.admin.DeleteTopic(b.topics.Orders))
		b.eventually("creation", func() bool {
			return CreateTopics(b.Context(), b.kafka, b.name, partitions, 1) == nil &&
				CheckTopics(b.Context(), b.kafka, b.name, partitions) == nil
		})
		b.requireOffsetError(b.start(books), "of topic id "+known+", but the topic was recreated")
		var offset *OffsetError
		require.ErrorAs(b, CheckPositions(b.Context(), b.kafka, b.name, books), &offset)
		require.Contains(b, offset.Found, "of topic id "+known)
		require.NoError(b, CheckPositions(b.Context(), b.kafka, b.name, newFakeBooks()), "a database that has settled nothing")
	})
}

func TestASettlerStopsAtADatabaseThatIsBehind(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		books.behind = 1
		b.produceOrders(1, 8)
		p := b.start(books)
		b.eventually("orders", func() bool { return books.settledOrders() == 16 })
		young := batchOf("demo", 700, 2)
		young.Epoch = 2
		b.produce(1, sale.AppendBatch(nil, young))
		require.ErrorIs(b, p.wait(), sale.ErrBehind)
		require.Equal(b, 16, books.requireOnce(b))
		require.EqualValues(b, 2, b.committed()[1], "its offset was not committed")
	})
}

// A database that is away at the start of a session is waited for without leaving the group.
func TestASessionWaitsForThePositions(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		books.unread = 8
		b.produceOrders(1, 8)
		p := b.start(books)
		b.eventually("orders", func() bool { return books.settledOrders() == 16 })
		require.NoError(b, p.stop())
	})
}

// The position in the database takes the place of buried records too.
func TestBuriedRecordsArePassed(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		books := newFakeBooks()
		books.unknown["gone"] = true
		b.produce(1, recordBytes("demo", 1, 1))
		b.produce(1, recordBytes("gone", 10, 1))
		b.produce(1, []byte("garbage"))
		p := b.start(books)
		b.eventually("the position", func() bool { return books.next(1) == 3 })
		b.eventually("offsets", func() bool { return b.totalCommitted() == 3 })
		require.NoError(b, p.stop())
		added := books.added
		again := b.start(books)
		b.produce(1, recordBytes("demo", 20, 1))
		b.eventually("the next record", func() bool { return books.settledOrders() == 2 })
		require.NoError(b, again.stop())
		require.Equal(b, added, books.added, "no record is buried twice")
	})
}

// sessionOffsets remembers what a session is to begin with.
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
