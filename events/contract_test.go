package events

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/kafka"
	"flashsale/sale"
	"flashsale/test/harness"
	"flashsale/test/kafkabench"
)

func TestMain(m *testing.M) { harness.Main(m) }

// publish runs a publisher of the bench's namespace until the test ends or end is called.
func publish(b *kafkabench.Bench, out Outgoing) (end func()) {
	b.Helper()
	p, err := NewPublisher(PublisherOptions{
		Kafka: b.Kafka, Namespace: b.Namespace, Outgoing: out, Leases: newDatabase(), Owner: "me",
		Registerer: prometheus.NewRegistry(), Log: b.Logger(),
	})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	end = sync.OnceFunc(func() { cancel(); <-ended })
	b.Cleanup(end)
	return end
}

// read reads the events topic until it has found a given number of distinct events, and returns their types by key, in
// order.
func read(b *kafkabench.Bench, count int) map[string][]string {
	b.Helper()
	byKey, partitionOf, ids := map[string][]string{}, map[string]int32{}, map[string]bool{}
	b.Read(b.Topics.Events, func(message *sarama.ConsumerMessage) bool {
		var event cloudEvent
		require.NoError(b, json.Unmarshal(message.Value, &event))
		key := string(message.Key)
		require.Equal(b, key, event.Subject)
		require.Equal(b, cloudEventsMediaType, kafkabench.HeadersOf(message)["content-type"])
		if before, known := partitionOf[key]; known {
			require.Equal(b, before, message.Partition)
		}
		partitionOf[key] = message.Partition
		if !ids[event.ID] {
			byKey[key] = append(byKey[key], event.Type)
		}
		ids[event.ID] = true
		return len(ids) < count
	})
	return byKey
}

func someEvents(first int64, count int) []sale.OrderEvent {
	var events []sale.OrderEvent
	for id := first; id < first+int64(count); id++ {
		events = append(events, eventOf(sale.StatusConfirmed, id), eventOf(sale.StatusPaid, id))
	}
	return events
}

func TestEventsReachAKafkaTopic(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		out := newDatabase()
		out.add(someEvents(1, 60)...)
		end := publish(b, out)
		found := read(b, 120)
		require.Len(b, found, 60)
		for _, types := range found {
			require.Equal(b, []string{"flashsale.order.confirmed", "flashsale.order.paid"}, types)
		}
		b.Eventually("all forgotten", func() bool { return out.waiting() == 0 })
		end()
	})
}

func TestEventsWaitForABrokerThatIsKilled(t *testing.T) {
	server := harness.Kafka(t)
	b := kafkabench.New(t, server.Brokers)
	out := newDatabase()
	out.add(someEvents(1, 5)...)
	end := publish(b, out)
	b.Eventually("the first", func() bool { return out.waiting() == 0 })
	server.Kill()
	out.add(someEvents(100, 5)...)
	server.Start()
	b.Eventually("those that waited", func() bool { return out.waiting() == 0 })
	for _, types := range read(b, 20) {
		require.Equal(t, []string{"flashsale.order.confirmed", "flashsale.order.paid"}, types)
	}
	end()
}

// A broker may close the connection of an idle publisher; the sender then opens another.
func TestEventsGoOnOverANewConnection(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		topic := &topic{open: func() (sender, error) { return kafka.NewSender(b.Client, b.Topics.Events), nil }}
		b.Eventually("a topic that was made a moment ago", func() bool {
			return topic.publish(b.Context(), eventsOf(order(1, sale.StatusConfirmed), order(2, sale.StatusConfirmed))) == nil
		})
		leader, err := b.Client.Leader(b.Topics.Events, 0)
		require.NoError(b, err)
		require.NoError(b, leader.Close())
		require.NoError(b, topic.publish(b.Context(), eventsOf(order(1, sale.StatusPaid), order(2, sale.StatusPaid))))
		require.NoError(b, topic.close(b.Context()))
		for _, types := range read(b, 4) {
			require.Equal(b, []string{"flashsale.order.confirmed", "flashsale.order.paid"}, types)
		}
	})
}
