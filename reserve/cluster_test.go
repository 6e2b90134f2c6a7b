package reserve

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/harness"
)

// A SKU of several buckets, spread over a cluster of three: loaded, sold out exactly, read, listed, rebuilt.
func TestClusterSellsFromSeveralNodes(t *testing.T) {
	nodes := harness.RedisCluster(t, 3)
	w := newWorldOn(t, scripts.Options{Namespace: namespace(t), Addrs: []string{nodes[0].Addr}}, nil)
	const count = 12
	var rows []sale.BucketRow
	var buckets []sale.Bucket
	for i := range count {
		b := sale.Bucket{Sale: "sale", SKU: "phone", Number: i}
		buckets, rows = append(buckets, b), append(rows, w.db.AddBucket(b, 10, int32(i%4)))
	}
	w.rebuild(rows...)
	for i, node := range nodes {
		require.Equal(t, int64(1), node.MustDo(t, "SCRIPT", "EXISTS", scripts.ReserveScript().SHA).([]any)[0], "node %d", i)
	}
	sold := 0
	for _, b := range buckets {
		// each buyer at home in one bucket
		sold += outcomes(w.buyAll(b, buyers(fmt.Sprintf("bucket-%d", b.Number), 15)))["queued"]
	}
	require.Equal(t, 10*count, sold)
	for _, b := range buckets {
		require.Equal(t, int64(10), w.db.Settled(b))
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
	require.NoError(t, w.redis.LoadList(ctx, "sale", 1, 3000, each))
	p := w.purchase(buckets[0], "buyer-1")
	p.ListVersion, p.ListSize = 1, 3000
	require.Equal(t, sale.OutcomeNotEligible, w.engine.Reserve(p).Outcome)

	var closed []sale.BucketRow
	for _, b := range buckets {
		closed = append(closed, w.closeRow(b))
	}
	require.NoError(t, w.redis.ApplyWindow(ctx, buckets, sale.WindowOf(&w.sale)))
	w.rebuild(closed...)
	readings, err := w.redis.Readings(ctx, buckets)
	require.NoError(t, err)
	for _, reading := range readings {
		require.Equal(t, sale.Reading{Epoch: 2, WindowsVersion: w.sale.Version}, reading)
	}
}

// While a slot moves, Redis refuses a script whose keys are not all there, as the buyers' hash is not before the first
// purchase. The bucket then sells nothing and takes nothing, and sells again once the move has ended or is called off.
func TestASlotOnTheMoveSellsNothing(t *testing.T) {
	nodes := harness.RedisCluster(t, 2)
	w := newWorldOn(t, scripts.Options{Namespace: namespace(t), Addrs: []string{nodes[0].Addr}}, nil)
	b := w.stock("phone", 10, 1)
	keys := w.redis.Keys(b)
	number := fmt.Sprint(nodes[0].MustDo(t, "CLUSTER", "KEYSLOT", keys.Meta))
	from, to := nodes[0], nodes[1]
	if from.MustDo(t, "CLUSTER", "COUNTKEYSINSLOT", number) == int64(0) {
		from, to = to, from
	}
	id := func(node *harness.RedisServer) string { return node.MustDo(t, "CLUSTER", "MYID").(string) }
	from.MustDo(t, "CLUSTER", "SETSLOT", number, "MIGRATING", id(to))
	to.MustDo(t, "CLUSTER", "SETSLOT", number, "IMPORTING", id(from))

	answer := w.buy(b, "anna")
	require.Contains(t, []sale.Outcome{sale.OutcomeUnavailable, sale.OutcomeUnknown}, answer.Outcome)
	require.Equal(t, int64(10), w.reading(b).Available)
	require.Zero(t, w.db.Settled(b))

	from.MustDo(t, "CLUSTER", "SETSLOT", number, "STABLE")
	to.MustDo(t, "CLUSTER", "SETSLOT", number, "STABLE")
	require.Equal(t, sale.OutcomeQueued, w.buy(b, "anna").Outcome)
	require.Equal(t, int64(9), w.reading(b).Available)
}
