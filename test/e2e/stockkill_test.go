package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// outboxRows counts the rows of the outbox.
func (s *stack) outboxRows() (rows int) {
	s.t.Helper()
	require.NoError(s.t, s.DB().QueryRow("SELECT COUNT(*) FROM outbox").Scan(&rows))
	return rows
}

// TestStockChangesSurviveKills: the settling process is killed when a stock change is committed and Redis does not have it,
// and when Redis has it and the database does not know. Each change happens once, and its key answers the same.
func TestStockChangesSurviveKills(t *testing.T) {
	redis := harness.Redis(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(1, 1)
	d := lasting(phone(10))
	s.open("rush", d)
	s.confirmed("first")
	unfenced := s.watchFences("rush")

	s.Settles[0].Pause()
	raised := s.changed("rush", "phone", "raise", 5, 5, 15)
	require.Equal(t, 1, s.outboxRows())
	require.Equal(t, 9, s.shelf(redis, "rush", 0, "phone")[0], "Redis does not have the units")
	s.Settles[0].Kill()
	assert.Equal(t, raised, string(s.change("rush", "phone", "raise", 5).body))
	s.Settles[0].Restart()
	s.Settles[0].Ready()
	require.Eventually(t, func() bool { return s.shelf(redis, "rush", 0, "phone")[0] == 14 }, 20*time.Second,
		10*time.Millisecond)
	assert.Equal(t, raised, string(s.change("rush", "phone", "raise", 5).body))
	s.nothingWaits("outbox")

	s.killBeforeMarked(redis, 14, 10)
	s.sells(0, "between") // one of the units that are left
	s.Settles[0].Restart()
	s.Settles[0].Ready()
	var taken reply
	s.soon("the take is done", func() bool { taken = s.change("rush", "phone", "take", -4); return taken.status == 200 })
	assert.Equal(t, object{"sku": "phone", "added": -4.0, "loaded": 11.0}, taken.json(s))
	assert.Equal(t, string(taken.body), string(s.change("rush", "phone", "take", -4).body))
	s.audit("rush")
	s.nothingWaits("outbox")
	assert.Equal(t, 9, s.shelf(redis, "rush", 0, "phone")[0], "taken once")
	units := s.units("rush", "phone")
	assert.EqualValues(t, 11, units["loaded"])
	assert.EqualValues(t, 9, units["available"])
	unfenced()
}

// killBeforeMarked takes back four units and kills the settling process after Redis gave them and before the database knows:
// the test has the lock of the bucket's row meanwhile. from and to are the available units before and after.
func (s *stack) killBeforeMarked(redis *harness.RedisServer, from, to int) {
	s.t.Helper()
	s.Settles[0].Pause()
	answered := make(chan reply, 1)
	go func() { answered <- s.change("rush", "phone", "take", -4) }()
	require.Eventually(s.t, func() bool { return s.outboxRows() == 1 }, 10*time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	lock, err := s.DB().BeginTx(ctx, nil)
	require.NoError(s.t, err)
	defer func() { _ = lock.Rollback() }() // a second time it does nothing
	var epoch int64
	require.NoError(s.t, lock.QueryRow("SELECT epoch FROM buckets WHERE sale_id = 'rush' AND bucket = 0 FOR UPDATE").Scan(&epoch))
	require.Equal(s.t, from, s.shelf(redis, "rush", 0, "phone")[0])
	s.Settles[0].Continue()
	require.Eventually(s.t, func() bool { return s.shelf(redis, "rush", 0, "phone")[0] == to }, 10*time.Second,
		time.Millisecond, "Redis gives the units")
	s.Settles[0].Kill()
	require.NoError(s.t, lock.Rollback())
	require.Equal(s.t, 1, s.outboxRows(), "the database does not know")
	unfinished := <-answered
	s.refused(unfinished, 503, "unavailable")
	s.retryWithin(unfinished, 1, 3)
}
