package harness

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A replica takes the place of its master with the same data, and the master that comes back follows it.
func TestAReplicaTakesTheMastersPlace(t *testing.T) {
	cluster := ReplicatedRedisCluster(t, 3)
	require.Len(t, cluster.Nodes, 6)
	pair := cluster.PairOf(t, "a")
	master, replica := cluster.Master(pair)
	require.Same(t, cluster.Nodes[pair], master)
	master.MustDo(t, "SET", "a", "1")
	require.Equal(t, int64(1), master.MustDo(t, "WAIT", "1", "5000"))
	master.Kill()
	require.NoError(t, replica.process.until(func() error {
		_, err := replica.Do("SET", "b{a}", "2")
		return err
	}))
	assert.Equal(t, "1", replica.MustDo(t, "GET", "a"))
	master.Start()
	cluster.AwaitReplica(t, pair)
	now, follower := cluster.Master(pair)
	assert.Same(t, replica, now)
	assert.Same(t, master, follower)
}
