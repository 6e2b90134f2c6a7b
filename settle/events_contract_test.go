package settle

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// publish runs a publisher of the bench until the test ends or end is called.
func (b *bench) publish(out Outgoing) (end func()) {
	b.Helper()
	p, err := NewPublisher(PublisherOptions{
		Kafka: b.kafka, Namespace: b.name, Outgoing: out, Leases: newFakeLeases(), Holder: "me",
		Registerer: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(testLog{b}, nil)),
	})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	end = sync.OnceFunc(func() { cancel(); <-ended })
	b.Cleanup(end)
	return end
}

// heard reads the events topic until a number of different events was there, and returns their ids by key, in order.
func (b *bench) heard(count int) map[string][]string {
	b.Helper()
	reader, err := sarama.NewConsumerFromClient(b.client)
	require.NoError(b, err)
	arrived := make(chan *sarama.ConsumerMessage)
	for partition := range int32(partitions) {
		var r sarama.PartitionConsumer
		b.eventually("a leader of the partition, which may be made a moment ago", func() bool {
			var err error
			r, err = reader.ConsumePartition(b.topics.Events, partition, sarama.OffsetOldest)
			return err == nil
		})
		defer r.AsyncClose()
		go func() {
			for message := range r.Messages() {
				select {
				case arrived <- message:
				case <-b.Context().Done():
					return
				}
			}
		}()
	}
	byKey, partitionOf, ids := map[string][]string{}, map[string]int32{}, map[string]bool{}
	for len(ids) < count {
		var message *sarama.ConsumerMessage
		select {
		case message = <-arrived:
		case <-b.Context().Done():
			b.Fatalf("only %d of %d events arrived", len(ids), count)
		}
		var event cloudEvent
		require.NoError(b, json.Unmarshal(message.Value, &event))
		key := string(message.Key)
		require.Equal(b, key, event.Subject)
		require.Equal(b, cloudEventsMediaType, headersOf(message)["content-type"])
		if before, known := partitionOf[key]; known {
			require.Equal(b, before, message.Partition)
		}
		partitionOf[key] = message.Partition
		if !ids[event.ID] {
			byKey[key] = append(byKey[key], event.Type)
		}
		ids[event.ID] = true
	}
	return byKey
}

func someEvents(first int64, count int) []sale.OrderEvent {
	var events []sale.OrderEvent
	for id := first; id < first+int64(count); id++ {
		events = append(events, told(sale.StatusConfirmed, id), told(sale.StatusPaid, id))
	}
	return events
}

func TestEventsReachAKafkaTopic(t *testing.T) {
	onEveryKafka(t, func(b *bench) {
		out := &fakeOutgoing{}
		out.add(someEvents(1, 60)...)
		end := b.publish(out)
		heard := b.heard(120)
		require.Len(b, heard, 60)
		for _, types := range heard {
			require.Equal(b, []string{"flashsale.order.confirmed", "flashsale.order.paid"}, types)
		}
		b.eventually("all forgotten", func() bool { return out.waiting() == 0 })
		end()
	})
}

func TestEventsWaitForABrokerThatIsKilled(t *testing.T) {
	server := harness.Kafka(t)
	b := newBench(t, server.Brokers)
	out := &fakeOutgoing{}
	out.add(someEvents(1, 5)...)
	end := b.publish(out)
	b.eventually("the first", func() bool { return out.waiting() == 0 })
	server.Kill()
	out.add(someEvents(100, 5)...)
	server.Start()
	b.eventually("those that waited", func() bool { return out.waiting() == 0 })
	for _, types := range b.heard(20) {
		require.Equal(t, []string{"flashsale.order.confirmed", "flashsale.order.paid"}, types)
	}
	end()
}
