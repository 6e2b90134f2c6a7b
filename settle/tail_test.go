package settle

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"

	"flashsale/kafka"

	"flashsale/test/kafkabench"
)

// An order is found in Kafka as long as the database has not settled it, and no longer.
func TestTailFindsWhatIsQueued(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		store := newDatabase()
		tail := NewTail(b.Kafka, b.Namespace, store)
		all := []int32{0, 1, 2, 3}
		look := func(id int64, partitions ...int32) (sale.PendingOrder, bool) {
			b.Helper()
			found, ok, err := tail.Queued(b.Context(), partitions, sale.OrderID(id))
			require.NoError(b, err)
			return found, ok
		}
		_, ok := look(1000, all...)
		require.False(b, ok, "an empty topic")
		b.produceOrders(1000, 8) // 1000 and 1001 in partition 0, 1010 and 1011 in partition 1, …
		b.Produce(0, sale.AppendFence(nil, "f"))
		found, ok := look(1011, all...)
		require.True(b, ok)
		require.Equal(b, sale.StatusQueued, found.Status)
		require.Equal(b, sale.OrderID(1011), found.OrderID)
		require.Equal(b, "demo", found.Sale)
		_, ok = look(1011, 0, 2, 3)
		require.False(b, ok, "another partition's")
		_, ok = look(1002, all...)
		require.False(b, ok)

		store.SeedPosition(sale.Position{Partition: 1, TopicID: "topic", Next: 1})
		_, ok = look(1011, all...)
		require.False(b, ok, "it is settled")
		_, ok = look(1051, all...)
		require.True(b, ok, "the one behind it is not")
		b.produceOrders(2000, 1)
		_, ok = look(2001, all...)
		require.True(b, ok, "what was written since")
		store.SeedPosition(sale.Position{Partition: 1, TopicID: "another topic", Next: 2})
		_, ok = look(1051, all...)
		require.False(b, ok)
	})
}

// The tail is bounded, and does not deny an order when it has not read every record.
func TestTailIsBounded(t *testing.T) {
	b := newBench(t, kafkabench.StartFake(t))
	tail := NewTail(b.Kafka, b.Namespace, newDatabase())
	b.produceOrders(1000, 4)
	tail.parts[7] = &tailPart{records: []tailRecord{{raw: make([]byte, maxTailBytes-1)}}}
	var problem sale.Problem
	_, _, err := tail.Queued(t.Context(), []int32{0, 1, 2, 3}, 1031)
	require.ErrorAs(t, err, &problem)
	require.Equal(t, sale.OutcomeOverloaded.String(), problem.Code)
	delete(tail.parts, 7)
	_, ok, err := tail.Queued(t.Context(), []int32{0, 1, 2, 3}, 1031)
	require.NoError(t, err)
	require.True(t, ok, "there is room again")
}

func TestTailOfAKafkaThatIsAway(t *testing.T) {
	tail := NewTail(kafka.Options{Brokers: []string{"127.0.0.1:1"}}, "away", newDatabase())
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err := tail.Queued(short, []int32{0}, 1)
	require.Error(t, err)
	tail.reading <- struct{}{}
	_, _, err = tail.Queued(short, []int32{0}, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded, "another look-up is running")
}
