package reserve

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
)

// A sale of several buckets, spread over a cluster of three: loaded, sold out exactly, read, listed, rebuilt.
func TestClusterSellsFromSeveralNodes(t *testing.T) {
	nodes := harness.RedisCluster(t, 3)
	w := newWorldOn(t, scripts.Options{Namespace: fakes.Namespace(t), Addrs: []string{nodes[0].Addr}}, nil)
	const count = 12
	units := make([][]int64, count)
	for i := range units {
		units[i] = []int64{10}
	}
	buckets := w.StockAll(1, []string{"phone"}, units...)
	for i, node := range nodes {
		require.Equal(t, int64(1), node.MustDo(t, "SCRIPT", "EXISTS", scripts.ReserveScript().SHA).([]any)[0], "node %d", i)
	}
	sold := 0
	for _, b := range buckets {
		// each buyer at home in one bucket
		sold += fakes.Outcomes(w.BuyAll(b, fakes.Buyers(fmt.Sprintf("bucket-%d", b.Number), 15)))["queued"]
	}
	require.Equal(t, 10*count, sold)
	for _, b := range buckets {
		require.Equal(t, int64(10), w.DB.Settled(b))
	}

	each := func(add func(string) error) error {
		for i := range 3000 {
			if err := add(fmt.Sprintf("listed-%d", i)); err != nil {
				return err
			}
		}
		return nil
	}
	ctx := context.Background()
	require.NoError(t, w.Redis.LoadList(ctx, "sale", 1, 3000, each))
	p := w.Purchase(buckets[0], "buyer-1")
	p.ListVersion, p.ListSize = 1, 3000
	require.Equal(t, sale.OutcomeNotEligible, w.engine.Reserve(p).Outcome)

	var closed []sale.BucketRow
	for _, b := range buckets {
		closed = append(closed, w.CloseRow(b))
	}
	require.NoError(t, w.Redis.ApplyWindow(ctx, buckets, sale.WindowOf(&w.Sale)))
	w.Rebuild(closed...)
	readings, err := w.Redis.Readings(ctx, buckets)
	require.NoError(t, err)
	for _, reading := range readings {
		require.Equal(t, sale.Reading{Epoch: 2, WindowsVersion: w.Sale.Version}, reading)
	}
}

// While a slot moves, Redis refuses a script whose keys are not all there, as the buyers' hash is not before the first
// purchase. The bucket then sells nothing and takes nothing, and sells again once the move has ended or is called off.
func TestASlotOnTheMoveSellsNothing(t *testing.T) {
	nodes := harness.RedisCluster(t, 2)
	w := newWorldOn(t, scripts.Options{Namespace: fakes.Namespace(t), Addrs: []string{nodes[0].Addr}}, nil)
	b := w.Stock("phone", 10, 1)
	keys := w.Redis.Keys(b)
	number := fmt.Sprint(nodes[0].MustDo(t, "CLUSTER", "KEYSLOT", keys.Meta))
	from, to := nodes[0], nodes[1]
	if from.MustDo(t, "CLUSTER", "COUNTKEYSINSLOT", number) == int64(0) {
		from, to = to, from
	}
	id := func(node *harness.RedisServer) string { return node.MustDo(t, "CLUSTER", "MYID").(string) }
	from.MustDo(t, "CLUSTER", "SETSLOT", number, "MIGRATING", id(to))
	to.MustDo(t, "CLUSTER", "SETSLOT", number, "IMPORTING", id(from))

	answer := w.Buy(b, "anna")
	require.Contains(t, []sale.Outcome{sale.OutcomeUnavailable, sale.OutcomeUnknown}, answer.Outcome)
	require.Equal(t, int64(10), w.Shelf(b).Available)
	require.Zero(t, w.DB.Settled(b))

	from.MustDo(t, "CLUSTER", "SETSLOT", number, "STABLE")
	to.MustDo(t, "CLUSTER", "SETSLOT", number, "STABLE")
	require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)
	require.Equal(t, int64(9), w.Shelf(b).Available)
}
