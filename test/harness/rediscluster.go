package harness

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const hashSlots = 16384

// RedisCluster starts a cluster of masters that share the hash slots evenly, and waits until every node reports the
// complete cluster.
func RedisCluster(t testing.TB, nodes int, args ...string) []*RedisServer {
	t.Helper()
	cluster := make([]*RedisServer, nodes)
	for i := range cluster {
		cluster[i] = clusterNode(t, args)
		first, last := hashSlots*i/nodes, hashSlots*(i+1)/nodes-1
		cluster[i].MustDo(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		cluster[i].MustDo(t, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		meet(t, cluster[0], cluster[i])
	}
	for _, node := range cluster {
		node.ready = func() error { return knowsCluster(node, nodes) }
		node.awaitReady(t)
	}
	return cluster
}

// Replicated is a cluster in which every master has a replica that takes its place.
type Replicated struct {
	Nodes []*RedisServer // the masters, then their replicas in the same order
	pairs int
}

// ReplicatedRedisCluster starts a cluster of masters with one replica each, and waits until every replica follows. A node
// that does not answer for a second is given up, so that a failover takes about two seconds.
func ReplicatedRedisCluster(t testing.TB, masters int, args ...string) *Replicated {
	t.Helper()
	args = append([]string{"--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"}, args...)
	cluster := &Replicated{Nodes: RedisCluster(t, masters, args...), pairs: masters}
	for range masters {
		replica := clusterNode(t, args)
		meet(t, cluster.Nodes[0], replica)
		replica.ready = func() error { return knowsCluster(replica, masters) }
		cluster.Nodes = append(cluster.Nodes, replica)
	}
	for i := range masters {
		replica := cluster.Nodes[masters+i]
		replica.awaitReady(t)
		replica.MustDo(t, "CLUSTER", "REPLICATE", cluster.Nodes[i].MustDo(t, "CLUSTER", "MYID").(string))
	}
	for i := range masters {
		cluster.AwaitReplica(t, i)
	}
	return cluster
}

// Master returns the node of pair i that reports to be a master with slots, and its replica: nil when none is a master, or
// when both are, as long as one that comes back does not know of its successor.
func (c *Replicated) Master(i int) (master, replica *RedisServer) {
	one, other := c.Nodes[i], c.Nodes[i+c.pairs]
	switch first, second := one.isMaster(), other.isMaster(); {
	case first && !second:
		return one, other
	case second && !first:
		return other, one
	}
	return nil, nil
}

// PairOf returns the number of the pair whose slots a key is in.
func (c *Replicated) PairOf(t testing.TB, key string) int {
	t.Helper()
	number, is := c.Nodes[0].MustDo(t, "CLUSTER", "KEYSLOT", key).(int64)
	if !is {
		t.Fatalf("CLUSTER KEYSLOT %s: not a number", key)
	}
	for i := range c.pairs {
		if int(number) < hashSlots*(i+1)/c.pairs {
			return i
		}
	}
	t.Fatalf("slot %d is in no pair", number)
	return 0
}

// AwaitReplica waits until the replica of pair i follows its master, by the word of both, and every node knows of it: only
// then may it take the master's place. Valkey 9.1 calls a replica online that loads its copy a second later.
func (c *Replicated) AwaitReplica(t testing.TB, i int) {
	t.Helper()
	err := c.Nodes[i].process.until(func() error {
		master, replica := c.Master(i)
		if master == nil {
			return errors.New("the pair has no master")
		}
		told, err := master.fields("replication")
		if err != nil || !strings.Contains(told["slave0"], "state=online") {
			return errors.Join(errors.New("the replica is not online"), err)
		}
		if told, err = replica.fields("replication"); err != nil || told["master_link_status"] != "up" {
			return errors.Join(errors.New("the replica does not follow"), err)
		}
		return c.knownAsReplica(replica)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// knownAsReplica returns nil when every node that runs takes the node for a replica: a master that still takes it for
// another master gives it no vote.
func (c *Replicated) knownAsReplica(replica *RedisServer) error {
	own, err := replica.Do("CLUSTER", "MYID")
	if err != nil {
		return err
	}
	for _, node := range c.Nodes {
		table, err := node.Do("CLUSTER", "NODES")
		if err != nil {
			return err
		}
		text, _ := table.(string)
		for line := range strings.Lines(text) {
			if id, rest, _ := strings.Cut(line, " "); id == own && !strings.Contains(rest, "slave") {
				return fmt.Errorf("%s does not know the replica %s", node.Addr, replica.Addr)
			}
		}
	}
	return nil
}

// isMaster reports whether the node runs and is a master.
func (s *RedisServer) isMaster() bool {
	fields, err := s.fields("replication")
	return err == nil && fields["role"] == "master"
}

// clusterNode starts a node that has met no other.
func clusterNode(t testing.TB, args []string) *RedisServer {
	t.Helper()
	bus, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	node := Redis(t, append([]string{
		"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus), "--cluster-node-timeout", "2000",
	}, args...)...)
	node.bus = bus
	return node
}

func meet(t testing.TB, first, node *RedisServer) {
	t.Helper()
	if first == node {
		return
	}
	host, port, _ := strings.Cut(node.Addr, ":")
	first.MustDo(t, "CLUSTER", "MEET", host, port, strconv.Itoa(node.bus))
}

func (s *RedisServer) awaitReady(t testing.TB) {
	t.Helper()
	if err := s.process.until(s.ready); err != nil {
		t.Fatal(err)
	}
}

func knowsCluster(node *RedisServer, masters int) error {
	info, err := node.Do("CLUSTER", "INFO")
	if err != nil {
		return err
	}
	text, _ := info.(string)
	if strings.Contains(text, "cluster_state:ok") && strings.Contains(text, fmt.Sprintf("cluster_size:%d\r", masters)) {
		return nil
	}
	return errors.New("the cluster is not complete")
}
