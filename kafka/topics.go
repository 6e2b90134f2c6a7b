package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"flashsale/faults"
)

// Topics are the names of a namespace's topics.
type Topics struct {
	Orders string // batches and fences, the input of settling
	Dead   string // records that could not settle
	Events string // what happened to orders, for the shop
}

// TopicsOf returns the topics of a namespace.
func TopicsOf(namespace string) Topics {
	return Topics{Orders: namespace + ".orders", Dead: namespace + ".dead", Events: namespace + ".events"}
}

func (t Topics) list() []string { return []string{t.Orders, t.Dead, t.Events} }

// GroupOf returns the consumer group of a namespace.
func GroupOf(namespace string) string { return namespace + ".settle" }

// CreateTopics creates the missing topics of the namespace and sets on all of them what the engine needs: no retention
// limit, and records as large as it writes. A retention limit that an operator has set on a topic stays; HandSetRetention
// names it. The orders topic grows to the given number of partitions and never shrinks; the other topics keep their
// partitions, because another number would change the order of their keys. A second call changes nothing.
func CreateTopics(ctx context.Context, o Options, namespace string, partitions int32, replication int16) error {
	topics := TopicsOf(namespace)
	return WithAdmin(ctx, o, func(admin sarama.ClusterAdmin) error {
		for _, topic := range topics.list() {
			if err := createTopic(admin, topic, partitions, replication); err != nil {
				return fmt.Errorf("create topic %s: %w", topic, err)
			}
		}
		return grow(admin, topics.Orders, partitions)
	})
}

// CheckTopics returns an error that names what is missing when the namespace's topics cannot be used.
func CheckTopics(ctx context.Context, o Options, namespace string, partitions int32) error {
	return WithAdmin(ctx, o, func(admin sarama.ClusterAdmin) error {
		return TopicsOf(namespace).Check(admin, partitions)
	})
}

// WithAdmin connects to the brokers, calls do and closes the connection; it returns early when ctx ends.
func WithAdmin(ctx context.Context, o Options, do func(sarama.ClusterAdmin) error) error {
	config, err := o.Config()
	if err != nil {
		return err
	}
	until, giveUp := context.WithCancel(ctx)
	defer giveUp()
	return Await(ctx, func() error {
		admin, err := sarama.NewClusterAdmin(o.Brokers, BoundTo(until, config))
		if err != nil {
			return fmt.Errorf("reach kafka at %v: %w", o.Brokers, err)
		}
		return errors.Join(do(admin), admin.Close())
	})
}

func createTopic(admin sarama.ClusterAdmin, topic string, partitions int32, replication int16) error {
	settings := newTopicSettings()
	if replication >= 3 {
		settings["min.insync.replicas"] = "2" // with one replica an acknowledged record could be lost with that replica
	}
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replication, ConfigEntries: map[string]*string{}}
	for name, value := range settings {
		detail.ConfigEntries[name] = &value
	}
	err := admin.CreateTopic(topic, detail, false)
	faults.Point("topics.created")
	if !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		return err
	}
	return mendTopic(admin, topic)
}

// grow adds partitions to a topic. Buckets keep the partition of their first preload, so none moves.
func grow(admin sarama.ClusterAdmin, topic string, partitions int32) error {
	described, err := Describe(admin, topic)
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return nil // just created with all its partitions, and still unknown to some brokers
	}
	if err != nil {
		return err
	}
	if int32(len(described.Partitions)) >= partitions {
		return nil
	}
	if err := admin.CreatePartitions(topic, partitions, nil, false); err != nil {
		return fmt.Errorf("grow topic %s to %d partitions: %w", topic, partitions, err)
	}
	return nil
}

// Describe returns a topic's metadata, or an error that is sarama.ErrUnknownTopicOrPartition when it does not exist.
func Describe(admin sarama.ClusterAdmin, topic string) (*sarama.TopicMetadata, error) {
	found, err := admin.DescribeTopics([]string{topic})
	switch {
	case err != nil:
		return nil, fmt.Errorf("describe topic %s: %w", topic, err)
	case len(found) != 1:
		return nil, fmt.Errorf("describe topic %s: %w", topic, sarama.ErrIncompleteResponse)
	case found[0].Err != sarama.ErrNoError:
		return nil, fmt.Errorf("describe topic %s: %w", topic, found[0].Err)
	}
	return found[0], nil
}

// Check is CheckTopics over an open connection.
func (t Topics) Check(admin sarama.ClusterAdmin, partitions int32) error {
	for _, topic := range t.list() {
		found, err := Describe(admin, topic)
		switch {
		case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
			return fmt.Errorf("topic %s does not exist: run \"flashsale migrate\"", topic)
		case err != nil:
			return err
		case topic == t.Orders && int32(len(found.Partitions)) < partitions:
			return fmt.Errorf("topic %s has %d partitions, the settings say %d: run \"flashsale migrate\"",
				topic, len(found.Partitions), partitions)
		}
	}
	return nil
}
