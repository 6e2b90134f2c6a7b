package bench

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// twoNodes sells from one node and then, with a bucket on each, from both nodes of the same cluster, in turns: what an
// order costs a node must not depend on how many there are. "Load" is the same 256 connections.
func twoNodes(b *testing.B) []*Figure {
	s := newStack(b, deployment{nodes: 2})
	one := s.openBuckets("one", 1, func(nodes []int) bool { return nodes[0] == 0 })
	two := s.openBuckets("two", 2, func(nodes []int) bool { return nodes[0] == 0 && nodes[1] == 1 })
	s.sku = one
	s.warm("one")
	s.sku = two
	s.take(s.presses("two", warmOrders), nil)
	figures := []*Figure{
		{Name: "two Redis nodes: the first", Unit: "CPU µs an order of the node ÷ the only one", Target: 1.1},
		{Name: "  the second", Unit: "CPU µs an order of the node ÷ the only one", Target: 1.1},
	}
	for range repetitions {
		s.sku = one
		alone := s.nodeCosts("one")
		s.sku = two
		shared := s.nodeCosts("two")
		for i, f := range figures {
			f.Add(shared[i], alone[0])
		}
	}
	return figures
}

// openBuckets opens a sale whose buckets lie on the nodes that are wanted, and returns the name of its SKU: the slot, and
// with it the node, comes from the name.
func (s *stack) openBuckets(saleID string, buckets int, wanted func(nodes []int) bool) string {
	s.b.Helper()
	for n := 0; ; n++ {
		sku := fmt.Sprintf("phone-%d", n)
		nodes := make([]int, buckets)
		for bucket := range nodes {
			nodes[bucket] = s.nodeOf(fmt.Sprintf("%s:{%s:%s:%d}:meta", namespace, saleID, sku, bucket))
		}
		if wanted(nodes) {
			s.createSale(saleID, fmt.Sprintf(`[{"sku":%q,"stock":9999999,"price_cents":129900,"buckets":%d}]`, sku, buckets))
			s.run("", "sale", "preload", saleID)
			s.open(saleID)
			return sku
		}
	}
}

// nodeOf returns which node of the cluster has a key: the harness shares the slots evenly.
func (s *stack) nodeOf(key string) int {
	s.b.Helper()
	const slots = 16384
	slot, ok := s.redis[0].MustDo(s.b, "CLUSTER", "KEYSLOT", key).(int64)
	require.True(s.b, ok)
	return int(slot) * len(s.redis) / slots
}

// nodeCosts returns the CPU µs that each node spends on an order of its own; a node without orders has 0.
func (s *stack) nodeCosts(saleID string) []float64 {
	s.b.Helper()
	before := s.bucketsSettled(saleID)
	pids := make([]int, len(s.redis))
	for i, node := range s.redis {
		pids[i] = node.PID()
	}
	count, used, _ := s.drive(s.gatewayAt, s.presses(saleID, acceptOrders), pids...)
	after := s.bucketsSettled(saleID)
	costs := make([]float64, len(s.redis))
	var all int64
	for bucket := range after {
		orders := after[bucket] - before[bucket]
		costs[bucket] = perRequest(used[bucket], orders)
		all += orders
	}
	require.Equal(s.b, count.Answers, all)
	return costs
}

// bucketsSettled waits until every order of a sale is a row, and returns how many each bucket has sold.
func (s *stack) bucketsSettled(saleID string) []int64 {
	s.b.Helper()
	s.run("", "audit", saleID, "--wait", "120s")
	rows, err := s.db.QueryContext(s.b.Context(), "SELECT settled FROM stock WHERE sale_id = ? ORDER BY bucket", saleID)
	require.NoError(s.b, err)
	defer rows.Close()
	var settled []int64
	for rows.Next() {
		var units int64
		require.NoError(s.b, rows.Scan(&units))
		settled = append(settled, units)
	}
	require.NoError(s.b, rows.Err())
	return settled
}
