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

// RedisClusterWithReplicas is RedisCluster with a replica of each primary. Primaries come first, then their replicas in the
// same order.
func RedisClusterWithReplicas(t testing.TB, primaries int, args ...string) []*RedisServer {
	t.Helper()
	args = append([]string{"--repl-diskless-sync-delay", "0", "--repl-timeout", "5", "--repl-ping-replica-period", "1"}, args...)
	nodes := RedisCluster(t, primaries, args...)
	for range primaries {
		replica := clusterNode(t, args)
		meet(t, nodes[0], replica)
		nodes = append(nodes, replica)
	}
	for i, replica := range nodes[primaries:] {
		id := fmt.Sprint(nodes[i].MustDo(t, "CLUSTER", "MYID"))
		await(t, func() error {
			_, err := replica.Do("CLUSTER", "REPLICATE", id) // an error until the replica knows the primary
			return err
		})
	}
	for _, node := range nodes {
		node.ready = func() error { return knowsCluster(node, primaries) }
		node.awaitReady(t)
	}
	await(t, func() error { return Following(nodes, primaries) })
	return nodes
}

// SlotOwner returns the number of the primary, among those of a cluster at its start, that has the slot of a key.
func SlotOwner(t testing.TB, nodes []*RedisServer, primaries int, key string) int {
	t.Helper()
	for _, node := range nodes {
		slot, err := node.Do("CLUSTER", "KEYSLOT", key)
		if number, is := slot.(int64); err == nil && is {
			for i := range primaries {
				if int(number) < hashSlots*(i+1)/primaries {
					return i
				}
			}
		}
	}
	t.Fatalf("no node tells the slot of %s", key)
	return 0
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
