package sim

import (
	"github.com/IBM/sarama"

	"flashsale/kafka"
)

// broker is the cluster client of settlement. Methods that settlement does not use panic.
type broker struct{ *process }

func (b *broker) ask(do func(q *queue)) error {
	ctx, cancel := b.patience(publishTimeout)
	defer cancel()
	return b.call(ctx, b.world.queue.place, "ask-broker", func() { do(b.world.queue) })
}

type brokerClient struct {
	sarama.Client
	broker *broker
}

func (c brokerClient) GetOffset(_ string, partition int32, at int64) (offset int64, err error) {
	err = c.broker.ask(func(q *queue) {
		if at == sarama.OffsetNewest {
			offset = q.end(partition)
		}
	})
	return offset, err
}

type brokerAdmin struct {
	sarama.ClusterAdmin
	broker *broker
}

func (a brokerAdmin) DescribeTopics(names []string) ([]*sarama.TopicMetadata, error) {
	err := a.broker.ask(func(*queue) {})
	return []*sarama.TopicMetadata{{Name: names[0], Uuid: sarama.Uuid{1}}}, err
}

func (a brokerAdmin) ListConsumerGroupOffsets(_ string, of map[string][]int32) (*sarama.OffsetFetchResponse, error) {
	response := &sarama.OffsetFetchResponse{}
	err := a.broker.ask(func(q *queue) {
		for topic, partitions := range of {
			for _, partition := range partitions {
				response.AddBlock(topic, partition, &sarama.OffsetFetchResponseBlock{
					Offset: q.position(partition), Metadata: q.topicID,
				})
			}
		}
	})
	return response, err
}

// brokerDeadLetters is the producer for copies of dead letters.
type brokerDeadLetters struct{ broker *broker }

func (d brokerDeadLetters) Send([]kafka.Record) error { return d.broker.ask(func(*queue) {}) }
