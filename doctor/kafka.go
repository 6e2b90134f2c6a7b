package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// kafkaFacts is what the brokers said. err is set when none answered.
type kafkaFacts struct {
	err     error
	brokers []brokerFacts
	topics  []topicFacts
	offsets *topicFacts // the topic of consumers' offsets; nil before its first use
	newest  time.Time   // of the newest record of the topics, zero without one

	controllers    int // voters of the quorum
	controllersErr error
}

// brokerFacts is one broker.
type brokerFacts struct {
	id       int32
	addr     string // as it advertises itself
	version  string
	err      error             // it does not answer there
	settings map[string]string // nil when they may not be read
	refused  error
}

// topicFacts is one topic of the engine.
type topicFacts struct {
	name       string
	missing    bool
	err        error // not allowed to look
	partitions []partitionFacts
	settings   map[string]string // nil when they may not be read
	refused    error
}

type partitionFacts struct {
	number        int32
	leader        int32 // -1: none
	replicas, isr []int32
}

const offsetsTopic = "__consumer_offsets"

func kafkaClient(o Options) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.KafkaBrokers...), kgo.ClientID("flashsale-doctor"), kgo.RetryTimeout(callTimeout),
		kgo.RequestTimeoutOverhead(callTimeout), kgo.RequestRetries(1),
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	if o.KafkaTLS != nil {
		opts = append(opts, kgo.Dialer((&tls.Dialer{NetDialer: dialer, Config: o.KafkaTLS}).DialContext))
	} else {
		opts = append(opts, kgo.Dialer(dialer.DialContext))
	}
	switch o.KafkaMechanism {
	case "":
	case "PLAIN":
		opts = append(opts, kgo.SASL(plain.Auth{User: o.KafkaUsername, Pass: o.KafkaPassword}.AsMechanism()))
	case "SCRAM-SHA-256":
		opts = append(opts, kgo.SASL(scram.Auth{User: o.KafkaUsername, Pass: o.KafkaPassword}.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		opts = append(opts, kgo.SASL(scram.Auth{User: o.KafkaUsername, Pass: o.KafkaPassword}.AsSha512Mechanism()))
	default:
		return nil, fmt.Errorf("kafka.sasl_mechanism %q is unknown", o.KafkaMechanism)
	}
	return kgo.NewClient(opts...)
}

// lookAtKafka reads brokers, topics and the quorum of controllers.
func lookAtKafka(ctx context.Context, o Options) (facts kafkaFacts) {
	client, err := kafkaClient(o)
	if err != nil {
		facts.err = fmt.Errorf("read the settings of kafka: %w", err)
		return facts
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	metadata, err := callOf(ctx, admin.BrokerMetadata)
	if err != nil {
		facts.err = fmt.Errorf("reach kafka at %v: %w", o.KafkaBrokers, err)
		return facts
	}
	r := &kafkaReader{client: client, admin: admin, facts: &facts}
	r.readBrokers(ctx, metadata)
	for _, name := range o.Topics.list() {
		facts.topics = append(facts.topics, r.topic(ctx, name))
	}
	if offsets, err := r.describe(ctx, offsetsTopic); err == nil {
		facts.offsets = &offsets
	}
	r.readQuorum(ctx)
	r.readNewest(ctx)
	return facts
}

// callOf bounds one call.
func callOf[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return call(ctx)
}

// kafkaReader fills the facts.
type kafkaReader struct {
	client *kgo.Client
	admin  *kadm.Client
	facts  *kafkaFacts
}

// readBrokers asks each broker at the address that it advertises.
func (r *kafkaReader) readBrokers(ctx context.Context, metadata kadm.Metadata) {
	versions, err := callOf(ctx, r.admin.ApiVersions)
	for _, broker := range metadata.Brokers {
		b := brokerFacts{id: broker.NodeID, addr: net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))}
		answer, there := versions[broker.NodeID]
		switch {
		case there && answer.Err == nil:
			b.version = answer.VersionGuess()
		case there:
			b.err = answer.Err
		default:
			b.err = errors.Join(errors.New("no answer"), err)
		}
		if b.err == nil {
			b.settings, b.refused = r.settings(callOf(ctx, func(ctx context.Context) (kadm.ResourceConfigs, error) {
				return r.admin.DescribeBrokerConfigs(ctx, broker.NodeID)
			}))
		}
		r.facts.brokers = append(r.facts.brokers, b)
	}
}

// settings reads the answer about one resource.
func (r *kafkaReader) settings(described kadm.ResourceConfigs, err error) (map[string]string, error) {
	if err != nil {
		return nil, err
	}
	if len(described) != 1 {
		return nil, fmt.Errorf("%d answers instead of one", len(described))
	}
	if described[0].Err != nil {
		return nil, described[0].Err
	}
	found := map[string]string{}
	for _, config := range described[0].Configs {
		found[config.Key] = config.MaybeValue()
	}
	return found, nil
}

func (r *kafkaReader) topic(ctx context.Context, name string) topicFacts {
	t, err := r.describe(ctx, name)
	if errors.Is(err, errMissing) {
		return topicFacts{name: name, missing: true}
	}
	if err != nil {
		return topicFacts{name: name, err: err}
	}
	t.settings, t.refused = r.settings(callOf(ctx, func(ctx context.Context) (kadm.ResourceConfigs, error) {
		return r.admin.DescribeTopicConfigs(ctx, name)
	}))
	return t
}

// describe reads where a topic's copies are. Each topic has a request of its own, because the answer about one that the user
// may not see is an error of the whole request.
func (r *kafkaReader) describe(ctx context.Context, name string) (topicFacts, error) {
	metadata, err := callOf(ctx, func(ctx context.Context) (kadm.Metadata, error) { return r.admin.Metadata(ctx, name) })
	if err != nil {
		return topicFacts{}, err
	}
	found := metadata.Topics[name]
	t := topicFacts{name: name}
	for _, p := range found.Partitions.Sorted() {
		t.partitions = append(t.partitions, partitionFacts{p.Partition, p.Leader, p.Replicas, p.ISR})
	}
	return t, found.Err
}

// readQuorum counts the voters among the controllers.
func (r *kafkaReader) readQuorum(ctx context.Context) {
	request := kmsg.NewPtrDescribeQuorumRequest()
	partition := kmsg.NewDescribeQuorumRequestTopicPartition()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic, topic.Partitions = "__cluster_metadata", append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	answer, err := callOf(ctx, func(ctx context.Context) (*kmsg.DescribeQuorumResponse, error) {
		return request.RequestWith(ctx, r.client)
	})
	if err == nil {
		err = codeError(answer.ErrorCode)
	}
	if err != nil {
		r.facts.controllersErr = err
		return
	}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			r.facts.controllersErr = codeError(p.ErrorCode)
			r.facts.controllers = max(r.facts.controllers, len(p.CurrentVoters))
		}
	}
}

// readNewest finds the latest time in the topics that are there. A broker that cannot tell it leaves it out.
func (r *kafkaReader) readNewest(ctx context.Context) {
	var names []string
	for _, t := range r.facts.topics {
		if !t.missing && t.err == nil {
			names = append(names, t.name)
		}
	}
	if len(names) == 0 {
		return
	}
	listed, err := callOf(ctx, func(ctx context.Context) (kadm.ListedOffsets, error) {
		return r.admin.ListMaxTimestampOffsets(ctx, names...)
	})
	if err != nil {
		return // a broker before 3.0 has no such request
	}
	listed.Each(func(o kadm.ListedOffset) {
		if at := time.UnixMilli(o.Timestamp); o.Err == nil && o.Timestamp > 0 && at.After(r.facts.newest) {
			r.facts.newest = at
		}
	})
}

// replication is the number of copies of a topic's partition with the fewest, and in sync that of the partition with the fewest.
func (t topicFacts) replication() (copies, inSync int, short []int32) {
	for i, p := range t.partitions {
		if i == 0 || len(p.replicas) < copies {
			copies = len(p.replicas)
		}
		if i == 0 || len(p.isr) < inSync {
			inSync = len(p.isr)
		}
		if len(p.isr) < len(p.replicas) || p.leader < 0 {
			short = append(short, p.number)
		}
	}
	return copies, inSync, short
}

// leaderless reports whether a partition has no leader.
func (t topicFacts) leaderless() bool {
	return slices.ContainsFunc(t.partitions, func(p partitionFacts) bool { return p.leader < 0 })
}
