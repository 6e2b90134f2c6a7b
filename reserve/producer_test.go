package reserve

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/kafka"
	"flashsale/sale"
)

const ordersTopic = "test.orders"

// newBroker starts an embedded broker with the orders topic.
func newBroker(t *testing.T) *kfake.Cluster {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, ordersTopic))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func newTestProducer(t *testing.T, brokers []string) *kafka.Producer {
	p, err := kafka.NewProducer(kafka.ProducerOptions{Kafka: kafka.Options{Brokers: brokers}, Topic: ordersTopic})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		require.NoError(t, p.Close(ctx))
	})
	return p
}

// readAll returns the first n records of the topic.
func readAll(t *testing.T, brokers []string, n int) []*kgo.Record {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(ordersTopic))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "%d of %d records", len(records), n)
		records = append(records, fetches.Records()...)
	}
	return records
}

// With a real Kafka client, queued means that the record is in the topic, in the bucket's partition, with the same bytes as in
// the journal.
func TestProducerCarriesTheEnginesRecords(t *testing.T) {
	broker := newBroker(t)
	producer := newTestProducer(t, broker.ListenAddrs())
	w := newWorld(t, func(o *EngineOptions) { o.Producer = producer; o.AckTimeout = 4 * time.Second })
	b := w.stock("phone", 40, 1)
	answers := w.buyAll(b, buyers("buyer", 60))
	require.Equal(t, map[string]int{"queued": 40, "sold_out": 20}, outcomes(answers))
	queued := map[sale.OrderID]bool{}
	for _, a := range answers {
		queued[a.OrderID] = a.Outcome == sale.OutcomeQueued
	}
	for found := 0; found < 40; {
		for _, record := range readAll(t, broker.ListenAddrs(), 1) {
			decoded, err := sale.DecodeRecord(record.Value)
			require.NoError(t, err)
			require.Equal(t, int32(2), record.Partition)
			require.Equal(t, b.String(), string(record.Key))
			for _, o := range decoded.Batch.Orders {
				require.True(t, queued[o.OrderID])
				found++
			}
		}
	}
	eventually(t, func() bool { return w.reading(b).JournalOrders == 0 }, "the journal is trimmed")
}

// Kafka stops and starts again: first answers are held, then every record is in the topic and trimmed, and answers are queued
// again.
func TestProducerOutlivesTheBroker(t *testing.T) {
	dir := t.TempDir()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, ordersTopic), kfake.DataDir(dir), kfake.SyncWrites())
	require.NoError(t, err)
	addr := broker.ListenAddrs()[0]
	producer := newTestProducer(t, []string{addr})
	w := newWorld(t, func(o *EngineOptions) { o.Producer = producer; o.AckTimeout = 500 * time.Millisecond })
	b := w.stock("phone", 1000, 1)
	eventually(t, producer.Ready, "connected")
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "before").Outcome)
	broker.Close()
	for _, buyer := range buyers("held", 5) {
		require.Equal(t, sale.OutcomeHeld, w.buy(b, buyer).Outcome)
	}
	require.Equal(t, int64(5), w.reading(b).JournalOrders)
	var port int
	_, err = fmt.Sscanf(addr, "127.0.0.1:%d", &port)
	require.NoError(t, err)
	broker, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), kfake.SyncWrites())
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	require.Eventually(t, func() bool { return w.reading(b).JournalOrders == 0 }, time.Minute, 5*time.Millisecond,
		"everything is acknowledged and trimmed")
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "after").Outcome)
	found := map[string]bool{}
	for _, record := range readAll(t, []string{addr}, 7) {
		decoded, err := sale.DecodeRecord(record.Value)
		require.NoError(t, err)
		for _, o := range decoded.Batch.Orders {
			found[o.Buyer] = true
		}
	}
	require.Len(t, found, 7)
}
