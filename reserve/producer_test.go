package reserve

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/role"
	"flashsale/sale"
)

const ordersTopic = "test.orders"

// newBroker starts an embedded broker with the orders topic.
func newBroker(t *testing.T, port int) *kfake.Cluster {
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(4, ordersTopic)}
	if port != 0 {
		options = append(options, kfake.Ports(port))
	}
	cluster, err := kfake.NewCluster(options...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func newTestProducer(t *testing.T, brokers []string) *Producer {
	p, err := NewProducer(KafkaOptions{Brokers: brokers}, ordersTopic)
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

// An engine on a real client of Kafka: queued means that the record is in the topic, in the bucket's partition, byte for
// byte the journal's.
func TestProducerCarriesTheEnginesRecords(t *testing.T) {
	broker := newBroker(t, 0)
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

// The producer needs no broker to start; records before the first contact are unknown, and it connects by itself.
func TestProducerConnectsLater(t *testing.T) {
	broker := newBroker(t, 0)
	addr := broker.ListenAddrs()[0]
	var port int
	_, err := fmt.Sscanf(addr, "127.0.0.1:%d", &port)
	require.NoError(t, err)
	broker.Close()
	p := newTestProducer(t, []string{addr})
	require.False(t, p.Ready())
	result := make(chan error, 1)
	p.Publish(1, []byte("k"), []byte("v"), func(err error) { result <- err })
	require.ErrorIs(t, <-result, errKafkaAway)
	newBroker(t, port)
	eventually(t, p.Ready, "connected")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoError(t, publishAndWait(ctx, p, 1, []byte("k"), []byte("v")))
	require.Equal(t, "v", string(readAll(t, []string{addr}, 1)[0].Value))
}

// Close flushes what was published, and everything after it is refused.
func TestProducerCloseFlushes(t *testing.T) {
	broker := newBroker(t, 0)
	p := newTestProducer(t, broker.ListenAddrs())
	eventually(t, p.Ready, "connected")
	const partitions, records = 4, 500
	results := make(chan error, records)
	for i := range partitions { // a leader that is not known yet costs a retry, which a producer that is closing does not make
		require.NoError(t, publishAndWait(t.Context(), p, int32(i), []byte("k"), []byte("v")))
	}
	for i := range records {
		p.Publish(int32(i%partitions), []byte("k"), []byte("v"), func(err error) { results <- err })
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoError(t, p.Close(ctx))
	for range records {
		require.NoError(t, <-results)
	}
	require.NoError(t, p.Close(ctx), "twice is once")
	p.Publish(0, nil, nil, func(err error) { results <- err })
	require.ErrorIs(t, <-results, errKafkaClosed)
	require.Len(t, readAll(t, broker.ListenAddrs(), partitions+records), partitions+records)
}

func TestKafkaOptions(t *testing.T) {
	for name, o := range map[string]KafkaOptions{
		"no broker": {},
		"mechanism": {Brokers: []string{"a:1"}, SASLMechanism: "OAUTHBEARER", Username: "u", Password: "p"},
		"no user":   {Brokers: []string{"a:1"}, SASLMechanism: "PLAIN"},
	} {
		_, err := NewProducer(o, ordersTopic)
		require.Error(t, err, name)
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		c, err := KafkaOptions{
			Brokers: []string{"a:1"}, TLS: true, SASLMechanism: mechanism, Username: "u", Password: "p", Linger: time.Millisecond,
		}.config()
		require.NoError(t, err)
		require.True(t, c.Net.TLS.Enable)
		require.Equal(t, time.Millisecond, c.Producer.Flush.Frequency)
		require.Equal(t, mechanism != "PLAIN", c.Net.SASL.SCRAMClientGeneratorFunc != nil)
	}
	login := newSCRAM("SCRAM-SHA-512")()
	require.NoError(t, login.Begin("user", "password", ""))
	first, err := login.Step("")
	require.NoError(t, err)
	require.Contains(t, first, "n=user")
	require.False(t, login.Done())
}

// Kafka stops in the middle and comes back: held answers, then everything is in the topic and trimmed, and answers are
// queued again.
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

// A record that is not taken is heard of, and not only by its publisher, who tries again in silence.
func TestProducerTellsOfRefusals(t *testing.T) {
	broker := newBroker(t, 0)
	heard := make(chan error, 1)
	p, err := NewProducer(KafkaOptions{Brokers: broker.ListenAddrs(), Refused: func(err error) { heard <- err }}, ordersTopic)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close(context.Background())) }()
	eventually(t, p.Ready, "connected")
	result := make(chan error, 1)
	p.Publish(0, []byte("k"), make([]byte, 3<<20), func(err error) { result <- err })
	require.ErrorContains(t, <-heard, "MaxMessageBytes")
	require.Error(t, <-result)
	require.NoError(t, publishAndWait(t.Context(), p, 0, []byte("k"), []byte("v")))
	require.Empty(t, heard)
}

// publishAndWait publishes a record until it is acknowledged or ctx ends.
func publishAndWait(ctx context.Context, p Publisher, partition int32, key, value []byte) error {
	for {
		result := make(chan error, 1)
		p.Publish(partition, key, value, func(err error) { result <- err })
		select {
		case err := <-result:
			if err == nil {
				return nil
			}
			role.Pause(ctx, republishFirst)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
