package harness

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A replica takes the place of its primary with the same data, and the primary that comes back follows it.
func TestAReplicaTakesThePrimarysPlace(t *testing.T) {
	nodes := RedisClusterWithReplicas(t, 3)
	require.Len(t, nodes, 6)
	require.Equal(t, 2, SlotOwner(t, nodes, 3, "a"))
	primary, replica := nodes[2], nodes[5]
	primary.MustDo(t, "SET", "a", "1")
	await(t, func() error {
		keys, err := replica.Do("DBSIZE")
		if err == nil && keys != int64(1) {
			err = errors.New("the replica does not have the key")
		}
		return err
	})
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
