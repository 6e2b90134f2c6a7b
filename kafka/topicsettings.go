package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/IBM/sarama"
)

// Names of the topic settings that the engine sets.
const (
	cleanupPolicy   = "cleanup.policy"
	maxBytes        = "max.message.bytes"
	timestampType   = "message.timestamp.type"
	retentionTime   = "retention.ms"
	retentionBytes  = "retention.bytes"
	unlimited       = "-1"
	policyDelete    = "delete"
	timeOfTheBroker = "LogAppendTime"
)

// newTopicSettings returns the settings of a topic that the engine creates. A broker deletes records by age or size alone,
// settled or not, so the topic has no limit and the engine deletes by itself.
func newTopicSettings() map[string]string {
	return map[string]string{
		cleanupPolicy:  policyDelete,
		retentionTime:  unlimited,
		retentionBytes: unlimited,
		maxBytes:       strconv.Itoa(maxMessageBytes),
		// The broker's time. With the producer's own time a broker refuses records that are more than an hour ahead, as
		// from a machine with a wrong clock.
		timestampType: timeOfTheBroker,
	}
}

// topicSetting is the value of a setting of a topic. own is set when it belongs to the topic and is no default of the broker.
type topicSetting struct {
	value string
	own   bool
}

// mendTopic sets on an existing topic what the engine needs. It leaves a limit that belongs to the topic, and room for
// larger records; a topic with neither gets the engine's.
func mendTopic(admin sarama.ClusterAdmin, topic string) error {
	present, err := settingsOf(admin, topic)
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return nil // another process has just created it, and it is still unknown to some brokers
	}
	if err != nil {
		return err
	}
	wanted := newTopicSettings()
	for _, name := range []string{retentionTime, retentionBytes} {
		if present[name].own {
			delete(wanted, name)
		}
	}
	if room, err := strconv.Atoi(present[maxBytes].value); err == nil && room >= maxMessageBytes {
		delete(wanted, maxBytes)
	}
	entries := make(map[string]sarama.IncrementalAlterConfigsEntry)
	for name, value := range wanted {
		entries[name] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}
	}
	return admin.IncrementalAlterConfig(sarama.TopicResource, topic, entries, false)
}

// settingsOf returns the settings of a topic that the engine sets, by name.
func settingsOf(admin sarama.ClusterAdmin, topic string) (map[string]topicSetting, error) {
	described, err := admin.DescribeConfigs([]*sarama.ConfigResource{{
		Type: sarama.TopicResource, Name: topic, ConfigNames: slices.Collect(maps.Keys(newTopicSettings())),
	}}, sarama.DescribeConfigsOptions{})
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the settings of topic %s: %w", topic, err)
	case len(described) != 1:
		return nil, fmt.Errorf("read the settings of topic %s: %w", topic, sarama.ErrIncompleteResponse)
	case described[0].ErrorCode != sarama.ErrNoError:
		return nil, fmt.Errorf("read the settings of topic %s: %w", topic, described[0].ErrorCode)
	}
	found := map[string]topicSetting{}
	for _, entry := range described[0].Configs {
		found[entry.Name] = topicSetting{value: entry.Value, own: entry.Source == sarama.SourceTopic}
	}
	return found, nil
}

// HandSetRetention returns the retention limits that an operator has set on the namespace's topics, each as
// "TOPIC NAME=VALUE". Kafka deletes records beyond them whether or not they are settled.
func HandSetRetention(ctx context.Context, o Options, namespace string) (limits []string, err error) {
	err = WithAdmin(ctx, o, func(admin sarama.ClusterAdmin) error {
		for _, topic := range TopicsOf(namespace).list() {
			present, err := settingsOf(admin, topic)
			if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
				continue // just created, with the engine's settings
			}
			if err != nil {
				return err
			}
			for _, name := range []string{retentionTime, retentionBytes} {
				if s := present[name]; s.own && s.value != unlimited {
					limits = append(limits, topic+" "+name+"="+s.value)
				}
			}
		}
		return nil
	})
	return limits, err
}
