package reserve

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/role"
)

// The janitor sleeps while no queue is in use, and the first queue wakes it.
func TestJanitorSleepsWithoutQueues(t *testing.T) {
	j := newJanitor()
	require.Equal(t, role.UntilWoken, j.rest(0))
	require.Empty(t, j.wake)
	for range 2 {
		j.add(&bucketQueue{})
		require.Len(t, j.wake, 1)
		require.Equal(t, janitorEvery, j.rest(0))
	}
	j.queues = nil // idle, and left by a sweep
	require.Equal(t, role.UntilWoken, j.rest(0))
	<-j.wake
	j.add(&bucketQueue{})
	require.Len(t, j.wake, 1, "also after a sleep")
}
