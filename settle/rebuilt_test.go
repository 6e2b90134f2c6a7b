package settle

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestClientsThatCannotBeginAreRebuilt: sarama asks once which broker coordinates the group. When that broker accepts
// requests and never answers, as one whose process is suspended does, the group has another coordinator long before
// sarama asks again.
func TestClientsThatCannotBeginAreRebuilt(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(t.TempDir()))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	b := newBench(t, cluster.ListenAddrs())
	b.produceOrders(1, 8)
	var asked, joined atomic.Int32
	cluster.ControlKey(int16(kmsg.FindCoordinator), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked.Add(1)
		return nil, nil, false
	})
	cluster.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		joined.Add(1)
		return nil, nil, asked.Load() < 2 // accepted, and never answered
	})
	store := newDatabase()
	began := time.Now()
	p := b.start(store)
	require.Eventually(t, func() bool { return store.settledOrders() == 16 }, beginWithin+soon, often)
	require.Less(t, time.Since(began), beginWithin+5*time.Second)
	require.Greater(t, joined.Load(), int32(1))
	require.NoError(t, p.stop())
	require.Equal(t, 16, store.settledOrders())
}
