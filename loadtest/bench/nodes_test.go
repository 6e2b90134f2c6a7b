package bench

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

const nodeConnections = 1024

// twoNodes sells from one node and then, with a bucket on each, from both nodes of the same cluster, alternately: the
// cost of an order for a node must not depend on the number of nodes. The load is that of a shop that needs two nodes:
// enough concurrent buyers for full batches of both buckets.
func twoNodes(b *testing.B) []*Figure {
	s := newStack(b, deployment{nodes: 2, homes: map[string]int{
		metaKey("one", 0): 0, metaKey("two", 0): 0, metaKey("two", 1): 1,
	}})
	s.openSale("one", 9_999_999)
	s.openSale("two", 9_999_999, `"buckets":2`)
	s.warm("one")
	s.driveOn(nodeConnections, s.gateway.Listen, s.presses("two", warmOrders))
	figures := []*Figure{
		{Name: "two Redis nodes: the first", Unit: "CPU µs an order of the node ÷ the only one", Target: 1.1},
		{Name: "  the second", Unit: "CPU µs an order of the node ÷ the only one", Target: 1.1},
	}
	for range repetitions {
		alone, both := s.nodeCosts("one"), s.nodeCosts("two")
		for i, f := range figures {
			f.Add(both[i], alone[0])
		}
	}
	return figures
}

func metaKey(saleID string, bucket int) string {
	return fmt.Sprintf("%s:{%s:%d}:meta", namespace, saleID, bucket)
}

// placeKeys moves the slots of keys to the given nodes, as the operator of a cluster of two nodes must: when each node
// has one half of the slots, the first two buckets of a sale are always on the same node, because their names differ in
// the last bit.
func placeKeys(b *testing.B, nodes []*harness.RedisServer, homes map[string]int) {
	b.Helper()
	for key, home := range homes {
		slot, ok := nodes[0].MustDo(b, "CLUSTER", "KEYSLOT", key).(int64)
		require.True(b, ok)
		id, ok := nodes[home].MustDo(b, "CLUSTER", "MYID").(string)
		require.True(b, ok)
		for _, node := range nodes {
			node.MustDo(b, "CLUSTER", "SETSLOT", strconv.FormatInt(slot, 10), "NODE", id)
		}
	}
}

// nodeCosts returns the CPU µs that each node spends per order of its own; a node without orders has 0.
func (s *stack) nodeCosts(saleID string) []float64 {
	s.b.Helper()
	before := s.bucketsSettled(saleID)
	pids := make([]int, len(s.Redis))
	for i, node := range s.Redis {
		pids[i] = node.PID()
	}
	count, used, _ := s.driveOn(nodeConnections, s.gateway.Listen, s.presses(saleID, acceptOrders), pids...)
	after := s.bucketsSettled(saleID)
	costs := make([]float64, len(s.Redis))
	var all int64
	for bucket := range after {
		orders := after[bucket] - before[bucket]
		costs[bucket] = perRequest(used[bucket], orders)
		all += orders
	}
	require.Equal(s.b, count.Answers, all)
	return costs
}

// bucketsSettled waits until every order of a sale has its row, and returns how many each bucket has sold.
func (s *stack) bucketsSettled(saleID string) []int64 {
	s.b.Helper()
	s.finish(saleID)
	return column[int64](s, "SELECT settled FROM stock WHERE sale_id = ? ORDER BY bucket", saleID)
}
