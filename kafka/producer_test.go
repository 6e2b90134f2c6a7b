package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/eapache/go-resiliency/breaker"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

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

// vacantPort stops a broker and returns its address, for another that begins there.
func vacantPort(t *testing.T, broker *kfake.Cluster) (addr string, port int) {
	addr = broker.ListenAddrs()[0]
	_, err := fmt.Sscanf(addr, "127.0.0.1:%d", &port)
	require.NoError(t, err)
	broker.Close()
	return addr, port
}

// publish publishes a record until it is acknowledged, as the engine does.
func publish(ctx context.Context, p *Producer, partition int32, value string) error {
	for {
		result := make(chan error, 1)
		p.Publish(partition, []byte("k"), []byte(value), sale.SpanContext{}, func(err error) { result <- err })
		select {
		case err := <-result:
			if err == nil {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, 20*time.Second, 5*time.Millisecond, what)
}

func newTestProducer(t *testing.T, brokers []string) *Producer {
	p, err := NewProducer(ProducerOptions{Kafka: Options{Brokers: brokers}, Topic: ordersTopic})
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

// The producer needs no broker to start; records before the first contact have an unknown outcome, and it connects by
// itself.
func TestProducerConnectsLater(t *testing.T) {
	addr, port := vacantPort(t, newBroker(t, 0))
	p := newTestProducer(t, []string{addr})
	require.False(t, p.Ready())
	result := make(chan error, 1)
	p.Publish(1, []byte("k"), []byte("v"), sale.SpanContext{}, func(err error) { result <- err })
	require.ErrorIs(t, <-result, errAway)
	newBroker(t, port)
	eventually(t, p.Ready, "connected")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoError(t, publish(ctx, p, 1, "v"))
	require.Equal(t, "v", string(readAll(t, []string{addr}, 1)[0].Value))
}

// A Kafka that comes back gets records at once, also when it was away so long that the library would refuse its partitions for
// another 10 s. Every record is answered.
func TestProducerDoesNotWaitForTheLibrarysBreaker(t *testing.T) {
	broker := newBroker(t, 0)
	opened := make(chan struct{}, 1)
	p, err := NewProducer(ProducerOptions{
		Kafka: Options{Brokers: broker.ListenAddrs()}, Topic: ordersTopic, Refused: func(err error) {
			if errors.Is(err, breaker.ErrBreakerOpen) {
				select {
				case opened <- struct{}{}:
				default:
				}
			}
		},
	})
	require.NoError(t, err)
	eventually(t, p.Ready, "connected")
	require.NoError(t, publish(t.Context(), p, 0, "before"))
	_, port := vacantPort(t, broker)
	var answered sync.WaitGroup
	published := 0
	for away := true; away; published++ {
		answered.Add(1)
		p.Publish(0, []byte("k"), []byte("during"), sale.SpanContext{}, func(error) { answered.Done() })
		select {
		case <-opened:
			away = false
		case <-time.After(20 * time.Millisecond):
		}
		require.Less(t, published, 3000, "the library refused no partition within a minute")
	}
	began := time.Now()
	newBroker(t, port)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, publish(ctx, p, 0, "after"))
	require.Less(t, time.Since(began), 4*time.Second)
	require.NoError(t, p.Close(ctx))
	answered.Wait()
}

// Close flushes the published records, and the producer refuses every later one.
func TestProducerCloseFlushes(t *testing.T) {
	broker := newBroker(t, 0)
	p := newTestProducer(t, broker.ListenAddrs())
	eventually(t, p.Ready, "connected")
	const partitions, records = 4, 500
	results := make(chan error, records)
	for i := range partitions { // finding a leader costs a retry, which a producer that is closing does not make
		require.NoError(t, publish(t.Context(), p, int32(i), "v"))
	}
	for i := range records {
		p.Publish(int32(i%partitions), []byte("k"), []byte("v"), sale.SpanContext{}, func(err error) { results <- err })
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoError(t, p.Close(ctx))
	for range records {
		require.NoError(t, <-results)
	}
	require.NoError(t, p.Close(ctx), "twice is once")
	p.Publish(0, nil, nil, sale.SpanContext{}, func(err error) { results <- err })
	require.ErrorIs(t, <-results, errClosed)
	require.Len(t, readAll(t, broker.ListenAddrs(), partitions+records), partitions+records)
}

// The producer reports a record that Kafka refuses, because its publisher repeats the record without logging.
func TestProducerTellsOfRefusals(t *testing.T) {
	broker := newBroker(t, 0)
	refused := make(chan error, 1)
	p, err := NewProducer(ProducerOptions{
		Kafka: Options{Brokers: broker.ListenAddrs()}, Topic: ordersTopic, Refused: func(err error) { refused <- err },
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close(context.Background())) }()
	eventually(t, p.Ready, "connected")
	result := make(chan error, 1)
	p.Publish(0, []byte("k"), make([]byte, 3<<20), sale.SpanContext{}, func(err error) { result <- err })
	require.ErrorContains(t, <-refused, "MaxMessageBytes")
	require.Error(t, <-result)
	require.NoError(t, publish(t.Context(), p, 0, "v"))
	require.Empty(t, refused)
}
