package settle

import (
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func offlineSender(partitions int32) *eventSender {
	kind := header("content-type", cloudEventsMediaType)
	return &eventSender{
		topic: "shop.events", placing: sarama.NewHashPartitioner("shop.events"), partitions: partitions,
		headers: []*sarama.RecordHeader{&kind},
	}
}

// A record goes where the library's own producer has always sent it: an order's events must not change their partition.
func TestEventsArePlacedByTheirKeys(t *testing.T) {
	var orders []sale.Order
	for id := range int64(500) {
		orders = append(orders, order(id+1, sale.StatusConfirmed))
	}
	records := eventsOf(orders...)
	batches, n, err := offlineSender(8).batches(records)
	require.NoError(t, err)
	require.Equal(t, len(records), n)
	require.Len(t, batches, 8)
	library := sarama.NewHashPartitioner("shop.events")
	placed := map[string]int32{}
	for partition, batch := range batches {
		require.Len(t, batch.Records, int(batch.LastOffsetDelta)+1)
		last := sale.OrderID(0)
		for i, r := range batch.Records {
			require.EqualValues(t, i, r.OffsetDelta)
			require.Equal(t, cloudEventsMediaType, string(r.Headers[0].Value))
			id, err := sale.ParseOrderID(string(r.Key))
			require.NoError(t, err)
			require.Greater(t, id, last, "in their order")
			placed[string(r.Key)], last = partition, id
		}
	}
	for _, r := range records {
		expected, err := library.Partition(&sarama.ProducerMessage{Key: sarama.ByteEncoder(r.key)}, 8)
		require.NoError(t, err)
		require.Equal(t, expected, placed[string(r.key)])
	}
}

// No batch is beyond what the topic accepts, and what does not fit one request goes with the next, in order.
func TestALargePageIsSeveralRequests(t *testing.T) {
	var orders []sale.Order
	for id := range int64(3000) {
		o := order(id+1, sale.StatusPaid)
		o.BuyerID, o.PaymentID = strings.Repeat("b", sale.MaxIDBytes), strings.Repeat("p", sale.MaxIDBytes)
		orders = append(orders, o)
	}
	records := eventsOf(orders...)
	sender := offlineSender(1)
	var keys []string
	requests := 0
	for rest := records; len(rest) > 0; requests++ {
		batches, n, err := sender.batches(rest)
		require.NoError(t, err)
		require.Positive(t, n)
		bytes := 0
		for _, r := range batches[0].Records {
			keys = append(keys, string(r.Key))
			bytes += len(r.Key) + len(r.Value)
		}
		require.Len(t, batches[0].Records, n)
		require.LessOrEqual(t, bytes, maxEventBatch)
		rest = rest[n:]
	}
	require.Greater(t, requests, 1)
	require.Len(t, keys, len(records))
	for i, r := range records {
		require.Equal(t, string(r.key), keys[i])
	}
}

func TestAClosedSenderSendsNothing(t *testing.T) {
	config, err := KafkaOptions{Brokers: []string{"127.0.0.1:1"}}.config()
	require.NoError(t, err)
	config.Metadata.Retry.Max = 0
	_, err = openEventSender([]string{"127.0.0.1:1"}, config, "shop.events")
	require.ErrorContains(t, err, "reach kafka")
	onEveryKafka(t, func(b *bench) {
		sender, err := openEventSender(b.kafka.Brokers, config, b.topics.Events)
		require.NoError(b, err)
		b.eventually("a topic that was made a moment ago", func() bool {
			return sender.send(eventsOf(order(1, sale.StatusConfirmed), order(2, sale.StatusConfirmed))) == nil
		})
		leader, err := sender.client.Leader(b.topics.Events, 0)
		require.NoError(b, err)
		require.NoError(b, leader.Close())
		require.NoError(b, sender.send(eventsOf(order(1, sale.StatusPaid), order(2, sale.StatusPaid))), "a lost connection is opened again")
		require.NoError(b, sender.Close())
		require.Error(b, sender.send(eventsOf(order(3, sale.StatusConfirmed))))
		for _, types := range b.heard(4) {
			require.Equal(b, []string{"flashsale.order.confirmed", "flashsale.order.paid"}, types)
		}
	})
}
