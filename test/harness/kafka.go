package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaCluster is the cluster id of every broker of the harness; those of two tests never meet, and one id lets them share
// a formatted folder.
const kafkaCluster = "Zmxhc2hzYWxlLWhhcm5lcw"

// KafkaServer is a Kafka broker that serves tests. Brokers are host:port addresses.
type KafkaServer struct {
	server
	Brokers []string
}

// Kafka starts a private broker in KRaft mode; it takes about four seconds, so a package should share one where it can.
// jvm are further options of the Java machine and win over the harness's own, which are for brokers that live for seconds.
func Kafka(t testing.TB, jvm ...string) *KafkaServer {
	t.Helper()
	s, err := newKafka(t, jvm)
	if err != nil {
		t.Fatal(err)
	}
	s.begin(t)
	return s
}

func newKafka(t testing.TB, jvm []string) (*KafkaServer, error) {
	installed, err := chosenKafka()
	if err != nil {
		return nil, err
	}
	template, err := installed.template()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	controller, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &KafkaServer{Brokers: []string{loopback(port)}}
	s.Dir = folder(t, "kafka")
	data := filepath.Join(s.Dir, "data")
	if err := os.CopyFS(data, os.DirFS(template)); err != nil {
		return nil, fmt.Errorf("copy the formatted folder: %w", err)
	}
	settings := filepath.Join(s.Dir, "server.properties")
	if err := os.WriteFile(settings, kafkaSettings(data, port, controller), 0o644); err != nil {
		return nil, err
	}
	s.process = &Process{Dir: s.Dir, path: installed.java, args: installed.command(jvm, "kafka.Kafka", settings), name: "kafka",
		tb: t}
	s.ready = s.serves
	return s, nil
}

// command is the JVM's command line: the serial collector and the first compiler only, because a test broker lives
// for seconds and shares two cores with the code under test.
func (k kafkaInstallation) command(jvm []string, class string, args ...string) []string {
	command := append([]string{"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}, jvm...)
	return append(append(command, "-cp", filepath.Join(k.libs, "*"), class), args...)
}

func kafkaSettings(data string, port, controller int) []byte {
	return fmt.Appendf(nil, `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@%[3]s
listeners=PLAINTEXT://%[2]s,CONTROLLER://%[3]s
advertised.listeners=PLAINTEXT://%[2]s
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=%[1]s
auto.create.topics.enable=false
# a restart after kill -9 waits for the old session to end
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
group.initial.rebalance.delay.ms=0
# one node: internal topics cannot have three replicas, and need few partitions
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.network.threads=2
num.io.threads=4
`, data, loopback(port), loopback(controller))
}

// serves returns nil when the broker answers a metadata request and names itself; the port alone opens a little earlier.
func (s *KafkaServer) serves() error {
	return s.answers(func() (*kgo.Client, error) { return kgo.NewClient(kgo.SeedBrokers(s.Brokers...)) })
}

// answers is serves over a client of the caller's kind.
func (s *KafkaServer) answers(newClient func() (*kgo.Client, error)) error {
	if err := accepts(s.Brokers[0]); err != nil {
		return err
	}
	client, err := newClient()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return client.Ping(ctx)
}

// foreignKafka takes the brokers of the environment.
func foreignKafka(addresses string) (*KafkaServer, error) {
	return &KafkaServer{Brokers: strings.Split(addresses, ",")}, nil
}
