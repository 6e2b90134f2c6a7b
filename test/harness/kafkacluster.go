package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// KafkaNode is one broker of a cluster.
type KafkaNode struct {
	*KafkaServer
	Direct string // host:port of the broker itself; metadata names the advertised address
}

// KafkaCluster starts brokers that replicate to each other; a topic of three replicas takes writes while two of them run.
// advertise maps the address of each broker to the one in the metadata, which may be a proxy's.
func KafkaCluster(t testing.TB, nodes int, advertise func(direct string) string) []*KafkaNode {
	t.Helper()
	installed, err := chosenKafka()
	if err != nil {
		t.Fatal(err)
	}
	template, err := installed.template()
	if err != nil {
		t.Fatal(err)
	}
	controllers, voters := make([]string, nodes), make([]string, nodes)
	for i := range nodes {
		controllers[i] = Address(t)
		voters[i] = fmt.Sprintf("%d@%s", i+1, controllers[i])
	}
	cluster := make([]*KafkaNode, nodes)
	for i := range nodes {
		n := &KafkaNode{KafkaServer: &KafkaServer{}, Direct: Address(t)}
		n.Brokers = []string{advertise(n.Direct)}
		n.Dir = folder(t, "kafka")
		settings := filepath.Join(n.Dir, "server.properties")
		if err := n.format(template, i+1); err != nil {
			t.Fatal(err)
		}
		text := clusterSettings(filepath.Join(n.Dir, "data"), i+1, nodes, n, Address(t), controllers[i],
			strings.Join(voters, ","))
		if err := os.WriteFile(settings, text, 0o644); err != nil {
			t.Fatal(err)
		}
		command := installed.command(nil, "kafka.Kafka", settings)
		n.process = &Process{Dir: n.Dir, path: installed.java, args: command, name: "kafka", tb: t}
		n.ready = n.direct
		t.Cleanup(n.Kill)
		cluster[i] = n
	}
	StartTogether(cluster)
	return cluster
}

// format copies the formatted folder and gives it the identity of one node.
func (n *KafkaNode) format(template string, id int) error {
	data := filepath.Join(n.Dir, "data")
	if err := os.CopyFS(data, os.DirFS(template)); err != nil {
		return fmt.Errorf("copy the formatted folder: %w", err)
	}
	text := fmt.Sprintf("node.id=%d\nversion=1\ncluster.id=%s\ndirectory.id=nD38mTI5co5TKiJgrRr%dvw\n", id, kafkaCluster, id)
	return os.WriteFile(filepath.Join(data, "meta.properties"), []byte(text), 0o644)
}

// clusterSettings has one listener for clients and one for the brokers among themselves. Later lines win.
func clusterSettings(data string, id, nodes int, n *KafkaNode, internal, controller, voters string) []byte {
	replicas := min(nodes, 3)
	return append(kafkaSettings(data, 1, 2), fmt.Appendf(nil, `node.id=%d
controller.quorum.voters=%s
listeners=CLIENT://%s,INTERNAL://%s,CONTROLLER://%s
advertised.listeners=CLIENT://%s,INTERNAL://%s
inter.broker.listener.name=INTERNAL
listener.security.protocol.map=CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
offsets.topic.replication.factor=%d
transaction.state.log.replication.factor=%d
default.replication.factor=%d
min.insync.replicas=%d
unclean.leader.election.enable=false
# a replica that died is left out after seconds, not half a minute
replica.lag.time.max.ms=3000
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1500
`, id, voters, n.Direct, internal, controller, n.Brokers[0], internal, replicas, replicas, replicas, max(replicas-1, 1))...)
}

// direct returns nil when the broker serves at its own address.
func (n *KafkaNode) direct() error {
	return (&KafkaServer{Brokers: []string{n.Direct}}).serves()
}

// StartTogether starts brokers in parallel and waits until all serve: a single one would block without a majority.
func StartTogether(nodes []*KafkaNode) {
	for _, n := range nodes {
		p := n.own()
		if err := p.start(); err != nil {
			p.tb.Fatalf("start %s: %v", p.name, err)
		}
	}
	for _, n := range nodes {
		p := n.own()
		if err := p.until(n.ready); err != nil {
			p.tb.Fatalf("%v\n%s%s", err, Tail(p.read("stdout")), Tail(p.read("stderr")))
		}
	}
}
