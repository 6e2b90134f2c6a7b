package kafka_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"flashsale/kafka"
	"flashsale/test/kafkabench"
)

func pageOf(keys ...string) []kafka.Record {
	var records []kafka.Record
	for _, key := range keys {
		records = append(records, kafka.Record{
			Key: []byte(key), Value: []byte("of " + key), Headers: kafka.Headers{}.With("about", key),
		})
	}
	return records
}

func TestAClosedSenderSendsNothing(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		config, err := b.Kafka.Config()
		require.NoError(b, err)
		client, err := sarama.NewClient(b.Kafka.Brokers, kafka.Prompt(config))
		require.NoError(b, err)
		sender := kafka.NewSender(client, b.Topics.Events)
		b.Eventually("a topic that was made a moment ago", func() bool { return sender.Send(pageOf("1", "2")) == nil })
		leader, err := client.Leader(b.Topics.Events, 0)
		require.NoError(b, err)
		require.NoError(b, leader.Close())
		require.NoError(b, sender.Send(pageOf("3", "4")), "a lost connection is opened again")
		require.NoError(b, sender.Close())
		require.NoError(b, sender.Send(pageOf("5")), "the client is not the sender's")
		require.NoError(b, client.Close())
		require.Error(b, sender.Send(pageOf("6")))

		owned, err := kafka.OpenSender(b.Kafka, b.Topics.Events)
		require.NoError(b, err)
		require.NoError(b, owned.Send(pageOf("7")))
		require.NoError(b, owned.Close())
		require.Error(b, owned.Send(pageOf("8")))

		found := map[string]bool{}
		b.Read(b.Topics.Events, func(message *sarama.ConsumerMessage) bool {
			key := string(message.Key)
			require.Equal(b, "of "+key, string(message.Value))
			require.Equal(b, map[string]string{"about": key}, kafkabench.HeadersOf(message))
			found[key] = true
			return len(found) < 6
		})
		require.NotContains(b, found, "6")
		require.NotContains(b, found, "8")
	})
}

// Claims of several partitions move records to the dead letters at the same time, through one sender.
func TestASenderServesSeveralAtATime(t *testing.T) {
	kafkabench.OnEvery(t, func(b *kafkabench.Bench) {
		sender := kafka.NewSender(b.Client, b.Topics.Dead)
		b.Eventually("a topic that was made a moment ago", func() bool { return sender.Send(pageOf("first")) == nil })
		const each, several = 25, 4
		var sending sync.WaitGroup
		for who := range several {
			sending.Go(func() {
				for i := range each {
					if err := sender.Send(pageOf(fmt.Sprintf("%d-%d", who, i))); err != nil {
						b.Errorf("send %d-%d: %v", who, i, err)
					}
				}
			})
		}
		sending.Wait()
		found := map[string]bool{}
		b.Read(b.Topics.Dead, func(message *sarama.ConsumerMessage) bool {
			found[string(message.Key)] = true
			return len(found) < each*several+1
		})
	})
}
