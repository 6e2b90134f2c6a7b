package doctor

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"flashsale/sale"
)

// judgeKafka judges brokers, controllers and topics.
func judgeKafka(facts kafkaFacts, database databaseFacts, o Options) []Finding {
	f := &findings{store: Kafka}
	if facts.err != nil {
		f.add(Danger, "answers", whyBrokers, "FLASHSALE_KAFKA_BROKERS=HOST:PORT  # or start the brokers", "%v", facts.err)
		return f.all
	}
	j := kafkaJudge{findings: f, kafkaFacts: facts, options: o, migrated: database.migrated()}
	j.judgeBrokers()
	j.judgeControllers()
	for _, t := range facts.topics {
		j.judgeTopic(t)
	}
	j.judgeOffsets(database.sales)
	return f.all
}

// kafkaJudge judges one cluster.
type kafkaJudge struct {
	*findings
	kafkaFacts
	options  Options
	migrated bool // the schema is there, so the topics have to be
}

const (
	whyBrokers = "While Kafka is away orders are held, and none is taken once the journal is full."
	whyAuto    = "A broker that makes topics by itself gives them its own retention limit and one copy."
)

func (j kafkaJudge) bootstrap() string { return strings.Join(j.options.KafkaBrokers, ",") }

// alter is the line that sets a setting of a topic.
func (j kafkaJudge) alter(topic, name, value string) string {
	return "kafka-configs.sh --bootstrap-server " + j.bootstrap() + " --alter --entity-type topics --entity-name " + topic +
		" --add-config " + name + "=" + value
}

// allow is the line that lets the user look.
func (j kafkaJudge) allow(on string) string {
	user := j.options.KafkaUsername
	if user == "" {
		user = "ANONYMOUS"
	}
	return "kafka-acls.sh --bootstrap-server " + j.bootstrap() + " --add --allow-principal User:" + user +
		" --operation Describe --operation DescribeConfigs " + on
}

func (j kafkaJudge) judgeBrokers() {
	for _, b := range j.brokers {
		if b.err != nil {
			j.add(Danger, "brokers", "Clients talk to each broker at the address that it advertises.",
				"advertised.listeners=PLAINTEXT://HOST:PORT  # in the server.properties of broker "+decimal(int64(b.id)),
				"broker %d at %s does not answer: %v", b.id, b.addr, b.err)
			continue
		}
		j.add(OK, "brokers", whyBrokers, "", "broker %d at %s answers, %s", b.id, b.addr, b.version)
		if b.settings == nil {
			j.unknown("auto_create", whyAuto, j.allow("--cluster"), b.refused)
			continue
		}
		value := b.settings["auto.create.topics.enable"]
		j.add(either(value == "true", Warning), "auto_create", whyAuto,
			"auto.create.topics.enable=false  # in the server.properties of broker "+decimal(int64(b.id)),
			"broker %d: auto.create.topics.enable=%s", b.id, value)
	}
}

func (j kafkaJudge) judgeControllers() {
	const why = "While no controller works, no partition gets a new leader; with fewer than three the loss of one stops them."
	const mend = "controller.quorum.bootstrap.servers=HOST1:9093,HOST2:9093,HOST3:9093  # in server.properties: three controllers"
	if j.controllersErr != nil {
		j.unknown("controllers", why, j.allow("--cluster"), j.controllersErr)
		return
	}
	j.add(either(j.controllers < 3, Warning), "controllers", why, mend, "voters among the controllers: %d", j.controllers)
}

// judgeTopic judges one topic of the engine.
func (j kafkaJudge) judgeTopic(t topicFacts) {
	check := "topic"
	why := "Migrate makes the topics; gateways are not ready without them."
	switch {
	case t.missing && j.migrated:
		j.add(Danger, check, why, "flashsale migrate", "topic %s does not exist", t.name)
		return
	case t.missing:
		j.add(OK, check, why, "", "topic %s does not exist yet: flashsale migrate makes it", t.name)
		return
	case t.err != nil:
		j.unknown(check, why, j.allow("--topic "+t.name), fmt.Errorf("topic %s: %w", t.name, t.err))
		return
	}
	if partitions := len(t.partitions); t.name == j.options.Topics.Orders && partitions < j.options.Partitions {
		j.add(Danger, check, why, "flashsale migrate", "topic %s has %d partitions, and kafka.partitions is %d", t.name,
			partitions,
			j.options.Partitions)
	} else {
		j.add(OK, check, why, "", "topic %s has %d partitions", t.name, partitions)
	}
	j.judgeCopies(t)
	if t.settings == nil {
		j.unknown("topic_settings", whyRetention, j.allow("--topic "+t.name), fmt.Errorf("topic %s: %w", t.name, t.refused))
		return
	}
	j.judgeInSync(t)
	j.judgeRetention(t)
	j.judgeRecords(t)
}

// usualCopies is the replication of a cluster that survives the loss of a broker without a pause.
const usualCopies = 3

func (j kafkaJudge) judgeCopies(t topicFacts) {
	const why = "With one copy an order that was answered queued is lost with its broker; with two, orders are held while one " +
		"is away."
	copies, _, _ := t.replication()
	level := OK
	switch {
	case copies == 1 && len(j.brokers) >= usualCopies:
		level = Danger
	case copies < usualCopies:
		level = Warning
	}
	j.add(level, "replication", why, j.reassign(t), "topic %s: replication %d, brokers %d", t.name, copies, len(j.brokers))
}

// reassign is the line that gives each partition as many copies as there are brokers, three at most. With fewer than three
// brokers more are needed first.
func (j kafkaJudge) reassign(t topicFacts) string {
	if len(j.brokers) < usualCopies {
		return "FLASHSALE_KAFKA_REPLICATION=3 flashsale migrate  # on three brokers, where the topics do not exist yet"
	}
	var parts []string
	for i, p := range t.partitions {
		var replicas []string
		for n := range usualCopies {
			replicas = append(replicas, decimal(int64(j.brokers[(i+n)%len(j.brokers)].id)))
		}
		parts = append(parts, fmt.Sprintf(`{"topic":%q,"partition":%d,"replicas":[%s]}`, t.name, p.number,
			strings.Join(replicas, ",")))
	}
	return "kafka-reassign-partitions.sh --bootstrap-server " + j.bootstrap() + " --execute --reassignment-json-file " +
		`<(echo '{"version":1,"partitions":[` + strings.Join(parts, ",") + `]}')`
}

// judgeInSync judges how many copies an acknowledgement means, and how many are there now.
func (j kafkaJudge) judgeInSync(t topicFacts) {
	const why = "An order is answered queued once so many copies have it; with one, the loss of that broker loses it."
	const unclean = "A copy that lacks acknowledged records may become the leader, and the records are gone."
	const behind = "Fewer copies than min.insync.replicas take no record: orders are held. Records of a partition without a " +
		"leader wait."
	copies, inSync, short := t.replication()
	least, err := strconv.Atoi(t.settings["min.insync.replicas"])
	wanted := "2"
	level := OK
	switch {
	case err != nil:
	case copies >= usualCopies && least < 2, least > copies:
		level = Danger
	case copies >= 2 && least == 1, copies >= 2 && least == copies:
		level = Warning
	}
	if copies < 2 {
		wanted = "1"
	}
	j.add(level, "min_insync", why, j.alter(t.name, "min.insync.replicas", wanted),
		"topic %s: min.insync.replicas=%d of %d copies", t.name,
		least, copies)
	elects := t.settings["unclean.leader.election.enable"]
	j.add(either(elects == "true", Danger), "unclean_election", unclean, j.alter(t.name, "unclean.leader.election.enable",
		"false"),
		"topic %s: unclean.leader.election.enable=%s", t.name, elects)
	level = either(len(short) > 0, Warning)
	if t.leaderless() || inSync < min(least, copies) {
		level = Danger
	}
	j.add(level, "in_sync", behind, "kafka-topics.sh --bootstrap-server "+j.bootstrap()+
		" --describe --under-replicated-partitions  # start the brokers that are missing",
		"topic %s: the fewest copies in sync are %d of %d, %d partitions lack some", t.name, inSync, copies, len(short))
}

const whyRetention = "Brokers delete records beyond a limit whether or not they are settled; settle stops when it finds some " +
	"gone."

func (j kafkaJudge) judgeRetention(t topicFacts) {
	for _, name := range []string{"retention.ms", "retention.bytes"} {
		value := t.settings[name]
		limited := value != "-1" && value != ""
		level := either(limited && t.name == j.options.Topics.Orders, Danger)
		j.add(level, "retention", whyRetention, j.alter(t.name, name, "-1"), "topic %s: %s=%s", t.name, name, value)
	}
	const compact = "Compaction keeps the last record of a key: orders of the others are gone."
	policy := t.settings["cleanup.policy"]
	j.add(either(strings.Contains(policy, "compact"), Danger), "cleanup_policy", compact, j.alter(t.name, "cleanup.policy",
		"delete"),
		"topic %s: cleanup.policy=%s", t.name, policy)
}

// largestRecord is the room that the engine needs in a topic: a dead letter is a record and the reason.
const largestRecord = 2 * sale.MaxRecordBytes

func (j kafkaJudge) judgeRecords(t topicFacts) {
	const why = "A broker refuses larger records; the orders of a full batch then stay held."
	bytes := t.settings["max.message.bytes"]
	j.add(either(below(largestRecord)(bytes), Danger), "record_size", why, j.alter(t.name, "max.message.bytes",
		decimal(largestRecord)),
		"topic %s: max.message.bytes=%s", t.name, bytes)
	const stamp = "With the producer's time a broker refuses the records of a machine whose clock is wrong, and retention goes " +
		"by that clock."
	kind := t.settings["message.timestamp.type"]
	j.add(either(kind != "LogAppendTime", Warning), "timestamps", stamp, j.alter(t.name, "message.timestamp.type",
		"LogAppendTime"),
		"topic %s: message.timestamp.type=%s", t.name, kind)
}

// judgeOffsets judges what keeps the position of settlement in Kafka. The database has it too, so its loss costs time alone.
func (j kafkaJudge) judgeOffsets(sales salesFacts) {
	const why = "When the group's offsets are lost, settlement goes on from the position in the database and settles some " +
		"records again."
	if j.offsets != nil {
		copies, _, _ := j.offsets.replication()
		j.add(either(copies == 1 && len(j.brokers) >= usualCopies, Warning), "offsets_topic", why, j.reassign(*j.offsets),
			"topic %s: replication %d, brokers %d", offsetsTopic, copies, len(j.brokers))
	}
	longest := 24 * time.Hour
	for _, s := range sales.open {
		longest = max(longest, s.lasts)
	}
	for _, b := range j.brokers {
		minutes, err := strconv.ParseInt(b.settings["offsets.retention.minutes"], 10, 64)
		if err != nil {
			continue // its settings cannot be read; auto_create says so
		}
		short := time.Duration(minutes)*time.Minute < longest
		j.add(either(short, Warning), "offsets_retention", why,
			"offsets.retention.minutes="+decimal(int64(longest/time.Minute))+"  # in the server.properties of broker "+
				""+decimal(int64(b.id)),
			"broker %d: offsets.retention.minutes=%d, and the longest sale takes %s", b.id, minutes, longest)
	}
}
