package harness

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A replica takes the place of its primary with the same data, and the primary that comes back follows it.
func TestAReplicaTakesThePrimarysPlace(t *testing.T) {
	nodes := RedisClusterWithReplicas(t, 3)
	require.Len(t, nodes, 6)
	primary, replica := nodes[2], nodes[5] // 2 has the slot of the key
	primary.MustDo(t, "SET", "a", "1")
	require.Equal(t, int64(1), primary.MustDo(t, "WAIT", "1", "5000"))
	primary.Kill()
	await(t, func() error {
		_, err := replica.Do("SET", "b{a}", "2")
		return err
	})
	assert.Equal(t, "1", replica.MustDo(t, "GET", "a"))
	primary.Start()
	await(t, func() error { return Following(nodes, 3) })
	assert.True(t, replica.Leads())
	assert.False(t, primary.Leads())
}
