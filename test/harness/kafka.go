package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	kafkaVersion = "4.1.1"
	kafkaScala   = "2.13"
	// kafkaCluster is the cluster id of every broker of the harness; they never meet, and one id lets them share a
	// formatted folder.
	kafkaCluster = "Zmxhc2hzYWxlLWhhcm5lcw"
)

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
	java, libs, err := kafkaProgram()
	if err != nil {
		return nil, err
	}
	template, err := kafkaTemplate(java, libs)
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
	s.process = &Process{Dir: s.Dir, path: java, args: kafkaCommand(libs, jvm, "kafka.Kafka", settings), name: "kafka", tb: t}
	s.ready = s.serves
	return s, nil
}

// kafkaCommand is the JVM's command line: the serial collector and the first compiler only, because a test broker lives
// for seconds and shares two cores with the code under test.
func kafkaCommand(libs string, jvm []string, class string, args ...string) []string {
	command := append([]string{"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}, jvm...)
	return append(append(command, "-cp", filepath.Join(libs, "*"), class), args...)
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

// kafkaProgram returns java and the folder of Kafka's jars: of an installation that KAFKA_HOME names, else of the cache,
// filled by Maven at the first use.
func kafkaProgram() (java, libs string, err error) {
	if java = findProgram("java"); java == "" {
		return "", "", errors.New("java is missing: type `apt-get install --no-install-recommends " +
			"openjdk-17-jre-headless`, or set FLASHSALE_TEST_KAFKA=host:port")
	}
	if home := os.Getenv("KAFKA_HOME"); home != "" {
		return java, filepath.Join(home, "libs"), nil
	}
	cache, err := cacheFolder()
	if err != nil {
		return "", "", err
	}
	home := filepath.Join(cache, "kafka-"+kafkaVersion)
	err = once("kafka", func() bool { return isFolder(home) }, func() error { return build(home, downloadKafka) })
	return java, filepath.Join(home, "libs"), err
}

const kafkaPOM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>flashsale</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_%s</artifactId><version>%s</version>
</dependency></dependencies></project>
`

func downloadKafka(dir string) error {
	maven := findProgram("mvn")
	if maven == "" {
		return errors.New("mvn is missing: type `apt-get install --no-install-recommends maven`, " +
			"or set KAFKA_HOME to a Kafka " + kafkaVersion + ", or FLASHSALE_TEST_KAFKA=host:port")
	}
	pom := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(pom, fmt.Appendf(nil, kafkaPOM, kafkaScala, kafkaVersion), 0o644); err != nil {
		return err
	}
	cmd := exec.Command(maven, "-q", "-B", "-f", pom, "dependency:copy-dependencies",
		"-DoutputDirectory="+filepath.Join(dir, "libs"))
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("download Kafka with Maven: %w\n%s", err, Tail(string(output)))
	}
	return nil
}

// kafkaTemplate returns a formatted folder to copy: formatting starts a JVM of its own.
func kafkaTemplate(java, libs string) (string, error) {
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	template := filepath.Join(cache, "kafka-"+kafkaVersion+"-formatted")
	err = once("kafka-format", func() bool { return isFolder(template) }, func() error {
		return build(template, func(dir string) error { return formatKafka(java, libs, dir) })
	})
	return template, err
}

func formatKafka(java, libs, dir string) error {
	settings := dir + ".properties"
	if err := os.WriteFile(settings, kafkaSettings(dir, lowestPort, lowestPort+1), 0o644); err != nil {
		return err
	}
	args := kafkaCommand(libs, nil, "kafka.tools.StorageTool", "format", "-t", kafkaCluster, "-c", settings)
	if output, err := exec.Command(java, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("format the folder of Kafka: %w\n%s", err, Tail(string(output)))
	}
	return os.Remove(settings)
}

// foreignKafka takes the brokers of the environment.
func foreignKafka(addresses string) (*KafkaServer, error) {
	return &KafkaServer{Brokers: strings.Split(addresses, ",")}, nil
}
