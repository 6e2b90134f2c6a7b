package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"flashsale/role"
	"flashsale/sale"
)

// Layout returns the partitions and the replicas of the real engine's orders topic, so that a rehearsal has as many.
func Layout(ctx context.Context, o Options, namespace string) (partitions int32, replication int16, err error) {
	err = WithAdmin(ctx, o, func(admin sarama.ClusterAdmin) error {
		found, err := Describe(admin, TopicsOf(namespace).Orders)
		if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			return fmt.Errorf("topic %s does not exist: run \"flashsale migrate\"", TopicsOf(namespace).Orders)
		}
		if err != nil {
			return err
		}
		partitions = int32(len(found.Partitions))
		replication = 1
		for _, partition := range found.Partitions {
			replication = max(replication, int16(len(partition.Replicas)))
		}
		return nil
	})
	return partitions, replication, err
}

// ShadowTopics returns the topics of a shadow that exist.
func ShadowTopics(ctx context.Context, o Options, names sale.Shadow) (found []string, err error) {
	err = WithAdmin(ctx, o, func(admin sarama.ClusterAdmin) error {
		found, err = existing(admin, TopicsOf(names.Namespace()))
		return err
	})
	return found, err
}

func existing(admin sarama.ClusterAdmin, topics Topics) (found []string, err error) {
	for _, topic := range topics.list() {
		_, err := Describe(admin, topic)
		switch {
		case err == nil:
			found = append(found, topic)
		case !errors.Is(err, sarama.ErrUnknownTopicOrPartition):
			return nil, err
		}
	}
	return found, nil
}

// CheckShadowRights tries whether the user may create and delete the topics and the group of a shadow, and writes nothing: the
// broker only validates the topic, and what is deleted never exists. The error wraps sale.ErrRights and names the lines that
// grant the rights.
func CheckShadowRights(ctx context.Context, o Options, names sale.Shadow, partitions int32, replication int16) error {
	never := names.Namespace() + ".rights"
	return WithAdmin(ctx, o, func(admin sarama.ClusterAdmin) error {
		var missing []string
		for _, try := range []struct {
			right string
			ask   func() error
		}{
			{"Create", func() error {
				detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replication}
				return admin.CreateTopic(never, detail, true)
			}},
			{"Delete", func() error { return tryDelete(admin, never) }},
			{"Delete of the group", func() error { return askForGroup(ctx, admin, never) }},
		} {
			switch err := try.ask(); {
			case denied(err):
				missing = append(missing, try.right)
			case err == nil, errors.Is(err, sarama.ErrUnknownTopicOrPartition), errors.Is(err, sarama.ErrGroupIDNotFound),
				errors.Is(err, sarama.ErrTopicAlreadyExists):
			default:
				return fmt.Errorf("try the right %s for topic %s: %w", try.right, never, err)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		user := o.Username
		if user == "" {
			user = "ANONYMOUS"
		}
		return fmt.Errorf("%w: kafka denies %s for %s.* to %s. Type: %s", sale.ErrRights, strings.Join(missing, ", "),
			names.Namespace(), user, shadowGrant(names, user))
	})
}

// tryDelete asks to delete the records of a topic that never exists, by the right that deletes a topic. A broker asked to delete
// such a topic looks for it before it asks for the right, so that would tell nothing.
func tryDelete(admin sarama.ClusterAdmin, topic string) error {
	broker, err := admin.Controller()
	if err != nil {
		return err
	}
	answer, err := broker.DeleteRecords(&sarama.DeleteRecordsRequest{
		Version: 1, Timeout: requestTimeout,
		Topics: map[string]*sarama.DeleteRecordsRequestTopic{topic: {PartitionOffsets: map[int32]int64{0: 0}}},
	})
	if err != nil {
		return err
	}
	of := answer.Topics[topic]
	if of == nil || of.Partitions[0] == nil {
		return sarama.ErrIncompleteResponse
	}
	if err := of.Partitions[0].Err; err != sarama.ErrNoError {
		return err
	}
	return nil
}

// denied reports whether a broker's access control refused a request.
func denied(err error) bool {
	return errors.Is(err, sarama.ErrTopicAuthorizationFailed) || errors.Is(err, sarama.ErrGroupAuthorizationFailed) ||
		errors.Is(err, sarama.ErrClusterAuthorizationFailed)
}

// shadowGrant is the line that gives a user all that a rehearsal needs.
func shadowGrant(names sale.Shadow, user string) string {
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server BROKER --command-config operator.properties --add --allow-principal "+
		"User:%s --resource-pattern-type prefixed --topic %[2]s. --group %[2]s. --operation All", user, names.Namespace())
}

// Bounds of a removal: a broker deletes in the background, a group ends with the sessions of its dead members, and its
// coordinator may have to read it first.
const (
	removalLimit = time.Minute
	loadingLimit = 30 * time.Second
	removalAgain = 200 * time.Millisecond
)

// DeleteShadow deletes the topics and the consumer group of a shadow, and returns when the brokers no longer know them. It is
// repeatable.
func DeleteShadow(ctx context.Context, o Options, names sale.Shadow) error {
	if err := names.GuardNamespace(names.Namespace()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, removalLimit)
	defer cancel()
	return WithAdmin(ctx, o, func(admin sarama.ClusterAdmin) error {
		if err := deleteGroup(ctx, admin, GroupOf(names.Namespace())); err != nil {
			return err
		}
		topics := TopicsOf(names.Namespace())
		for _, topic := range topics.list() {
			if err := deleteShadowTopic(admin, names, topic); err != nil {
				return err
			}
		}
		return again(ctx, func() (bool, error) {
			left, err := existing(admin, topics)
			return len(left) == 0, err
		})
	})
}

// deleteShadowTopic deletes one topic, whose name must be below the shadow's namespace.
func deleteShadowTopic(admin sarama.ClusterAdmin, names sale.Shadow, topic string) error {
	if err := names.GuardNamespace(topic[:max(strings.LastIndex(topic, "."), 0)]); err != nil {
		return err
	}
	if err := admin.DeleteTopic(topic); err != nil && !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	return nil
}

func deleteGroup(ctx context.Context, admin sarama.ClusterAdmin, group string) error {
	return again(ctx, func() (bool, error) {
		switch err := askForGroup(ctx, admin, group); {
		case err == nil, errors.Is(err, sarama.ErrGroupIDNotFound):
			return true, nil
		case errors.Is(err, sarama.ErrNonEmptyGroup):
			return false, nil // a member died, and its session has not ended
		default:
			return false, fmt.Errorf("delete consumer group %s: %w", group, err)
		}
	})
}

// askForGroup deletes a group as soon as its coordinator knows its groups: the first group of a cluster and every move of a
// coordinator begin with a while in which it reads them. sarama (1.61.1) repeats nothing of that.
func askForGroup(ctx context.Context, admin sarama.ClusterAdmin, group string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, loadingLimit)
	defer cancel()
	role.Until(ctx, role.Always(removalAgain), func() bool {
		err = admin.DeleteConsumerGroup(group)
		return !errors.Is(err, sarama.ErrOffsetsLoadInProgress)
	})
	return err
}

// again repeats a step until it is done or fails, or ctx ends.
func again(ctx context.Context, step func() (done bool, err error)) (err error) {
	ended := role.Until(ctx, role.Always(removalAgain), func() bool {
		var done bool
		done, err = step()
		return done || err != nil
	})
	if !ended {
		return fmt.Errorf("wait until the brokers have deleted: %w", ctx.Err())
	}
	return err
}
