package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/test/harness"
)

// kafkaWorld is a broker with a namespace of its own.
type kafkaWorld struct {
	*testing.T
	admin    *kadm.Client
	o        Options
	database databaseFacts
}

func newKafkaWorld(t *testing.T, brokers []string) *kafkaWorld {
	t.Helper()
	o := only(t, Options{Namespace: fmt.Sprintf("doc-%d", time.Now().UnixNano()), KafkaBrokers: brokers}, Kafka)
	return &kafkaWorld{T: t, admin: adminOf(t, brokers), o: o}
}

func (w *kafkaWorld) look() Report {
	return Report{Findings: inOrder(judgeKafka(lookAtKafka(w.Context(), w.o), w.database, w.o))}
}

// becomes waits until the worst finding of a check has a level: brokers know a change a moment later.
func (w *kafkaWorld) becomes(check string, level Level) (found Finding) {
	w.Helper()
	require.Eventually(w, func() bool {
		found = worst(w.T, w.look(), Kafka, check)
		return found.Level == level
	}, soon, often, "%s never becomes %s", check, level)
	return found
}

// set changes a setting of the orders topic.
func (w *kafkaWorld) set(topic, name, value string) {
	w.Helper()
	altered, err := w.admin.AlterTopicConfigs(w.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}},
		topic)
	require.NoError(w, err)
	require.NoError(w, altered[0].Err)
}

// typed carries out a line of kafka-configs.sh.
func (w *kafkaWorld) typed(line string) {
	w.Helper()
	parts := words(line)
	require.Equal(w, "kafka-configs.sh", parts[0], line)
	options := map[string]string{}
	for i := 1; i+1 < len(parts); i++ {
		if strings.HasPrefix(parts[i], "--") {
			options[parts[i]] = parts[i+1]
		}
	}
	require.Equal(w, strings.Join(w.o.KafkaBrokers, ","), options["--bootstrap-server"])
	require.Equal(w, "topics", options["--entity-type"])
	name, value, _ := strings.Cut(options["--add-config"], "=")
	w.set(options["--entity-name"], name, value)
}

// kafkaFaults sets one dangerous setting of the orders topic after the other.
var kafkaFaults = []struct {
	check string
	level Level
	name  string
	value string
}{
	{"retention", Danger, "retention.ms", "3600000"},
	{"retention", Danger, "retention.bytes", "1000000"},
	{"unclean_election", Danger, "unclean.leader.election.enable", "true"},
	{"cleanup_policy", Danger, "cleanup.policy", "compact"},
	{"record_size", Danger, "max.message.bytes", "1048588"},
	{"timestamps", Warning, "message.timestamp.type", "CreateTime"},
	{"min_insync", Danger, "min.insync.replicas", "2"},
}

// Before the migration there are no topics, and that is no danger. Afterwards a missing one is, and each dangerous setting is
// found and mended by the line that the finding prints.
func TestKafka(t *testing.T) {
	w := newKafkaWorld(t, harness.Kafka(t).Brokers) // one broker, also where the shared Kafka has several
	r := w.look()
	require.Empty(t, dangers(r))
	require.Contains(t, worst(t, r, Kafka, "topic").Found, "does not exist yet")
	w.database.tables = []tableFacts{{"orders", "InnoDB", "utf8mb4_bin"}}
	require.Len(t, dangers(w.look()), 3, "the schema is migrated, the topics are missing")
	makeTopics(t, w.admin, w.o.Topics, 1)
	require.Eventually(t, func() bool { return len(dangers(w.look())) == 0 }, soon, often)
	require.Equal(t, Warning, worst(t, w.look(), Kafka, "replication").Level, "one copy on one broker")
	for _, fault := range kafkaFaults {
		t.Run(fault.name, func(t *testing.T) {
			in := *w
			in.T = t
			in.set(in.o.Topics.Orders, fault.name, fault.value)
			found := in.becomes(fault.check, fault.level)
			require.Contains(t, found.Found, fault.name+"="+fault.value)
			in.typed(found.Mend)
			in.becomes(fault.check, OK)
		})
	}
	w.set(w.o.Topics.Events, "retention.ms", "3600000")
	require.Eventually(t, func() bool {
		for _, f := range w.look().finding(Kafka, "retention") {
			if strings.Contains(f.Found, "retention.ms=3600000") {
				return f.Level == OK
			}
		}
		return false
	}, soon, often, "the events topic may have a limit")
	w.o.Partitions = 3
	require.Equal(t, Danger, worst(t, w.look(), Kafka, "topic").Level, "fewer partitions than the settings have")
}

// A record whose time is ahead of Redis's tells that a broker's clock is.
func TestClockOfABroker(t *testing.T) {
	w := newKafkaWorld(t, harness.SharedKafka(t).Brokers)
	makeTopics(t, w.admin, w.o.Topics, 1)
	w.set(w.o.Topics.Dead, "message.timestamp.type", "CreateTime") // so that the test can write a time
	client, err := kgo.NewClient(kgo.SeedBrokers(w.o.KafkaBrokers...))
	require.NoError(t, err)
	defer client.Close()
	look := func(ahead time.Duration) Finding {
		record := &kgo.Record{Topic: w.o.Topics.Dead, Value: []byte("x"), Timestamp: time.Now().Add(ahead)}
		require.NoError(t, client.ProduceSync(t.Context(), record).FirstErr())
		redis := redisFacts{nodes: []*redisNode{{addr: "r:1", clock: clockReading{known: true}}}}
		facts := lookAtKafka(t.Context(), w.o)
		require.NoError(t, facts.err)
		return worst(t, Report{Findings: inOrder(judgeClocks(readClocks(redis, facts, databaseFacts{}, now())))}, Clocks,
			"brokers")
	}
	require.Equal(t, OK, look(0).Level)
	require.Equal(t, Danger, look(time.Minute).Level)
}

// A user without rights learns which to ask for, and nothing is called dangerous that was not seen.
func TestKafkaRights(t *testing.T) {
	secured := harness.KafkaSecured(t, "fs-doctor")
	operator, err := secured.ClientOf("")
	require.NoError(t, err)
	defer operator.Close()
	o := only(t, Options{Namespace: "doc", KafkaBrokers: secured.Brokers, KafkaMechanism: "PLAIN", KafkaUsername: "fs-doctor",
		KafkaPassword: harness.PasswordOf("fs-doctor")}, Kafka)
	makeTopics(t, kadm.NewClient(operator), o.Topics, 1)
	w := &kafkaWorld{T: t, admin: kadm.NewClient(operator), o: o}
	r := w.look()
	require.Empty(t, dangers(r))
	for _, check := range []string{"topic", "controllers", "auto_create"} {
		found := worst(t, r, Kafka, check)
		require.Equal(t, Unknown, found.Level, "%+v", found)
		require.Contains(t, found.Mend, "--allow-principal User:fs-doctor")
	}
	w.allowed(worst(t, r, Kafka, "topic").Mend, worst(t, r, Kafka, "controllers").Mend)
	w.becomes("controllers", Warning)
	w.becomes("auto_create", OK)
	require.Eventually(t, func() bool {
		r = w.look()
		return len(r.finding(Kafka, "retention")) > 0
	}, soon, often)
}

// allowed carries out lines of kafka-acls.sh.
func (w *kafkaWorld) allowed(lines ...string) {
	w.Helper()
	for _, line := range lines {
		parts := words(line)
		require.Equal(w, "kafka-acls.sh", parts[0], line)
		b := kadm.NewACLs().AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral)
		for i, part := range parts {
			switch part {
			case "--allow-principal":
				b.Allow(parts[i+1])
			case "--topic":
				b.Topics(parts[i+1])
			case "--cluster":
				b.Clusters()
			}
		}
		made, err := w.admin.CreateACLs(w.Context(), b.Operations(kadm.OpDescribe, kadm.OpDescribeConfigs))
		require.NoError(w, err)
		for _, one := range made {
			require.NoError(w, one.Err)
		}
	}
}

// A Kafka that is away is told with its address, and so is a broker that advertises another address than it has.
func TestKafkaThatDoesNotAnswer(t *testing.T) {
	o := only(t, Options{})
	facts := lookAtKafka(t.Context(), o)
	require.Error(t, facts.err)
	found := judgeKafka(facts, databaseFacts{}, o)
	require.Len(t, found, 1)
	require.Equal(t, Danger, found[0].Level)
	require.Contains(t, found[0].Found, o.KafkaBrokers[0])
}

// On three brokers one copy is a danger. The line of the finding makes three, and a broker that dies is told.
func TestKafkaCluster(t *testing.T) {
	cluster := harness.KafkaCluster(t, 3, func(direct string) string { return direct })
	w := newKafkaWorld(t, cluster[0].Brokers)
	makeTopics(t, w.admin, w.o.Topics, 1)
	w.becomes("replication", Danger)
	w.reassigned(w.look().finding(Kafka, "replication"))
	w.becomes("replication", OK)
	w.becomes("in_sync", OK)
	require.Equal(t, OK, worst(t, w.look(), Kafka, "controllers").Level)

	w.set(w.o.Topics.Orders, "min.insync.replicas", "1")
	found := w.becomes("min_insync", Danger)
	w.typed(found.Mend)
	w.becomes("min_insync", OK)
	require.Empty(t, dangers(w.look()))

	cluster[2].Kill()
	w.becomes("in_sync", Warning)
}

// reassigned carries out the JSON of the lines of kafka-reassign-partitions.sh.
func (w *kafkaWorld) reassigned(all []Finding) {
	w.Helper()
	var request kadm.AlterPartitionAssignmentsReq
	for _, f := range all {
		var plan struct {
			Partitions []struct {
				Topic     string
				Partition int32
				Replicas  []int32
			}
		}
		_, text, _ := strings.Cut(f.Mend, "<(echo '")
		text, _, _ = strings.Cut(text, "')")
		unmarshal(w.T, text, &plan)
		for _, p := range plan.Partitions {
			request.Assign(p.Topic, p.Partition, p.Replicas)
		}
	}
	answers, err := w.admin.AlterPartitionAssignments(w.Context(), request)
	require.NoError(w, err)
	require.NoError(w, answers.Error())
}
