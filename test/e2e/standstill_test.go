package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// Length of the pause: longer than sarama's longest read timeout here, so that every connection has failed meanwhile; and
// the bound for everything to work again. The library refuses records of a partition for ten seconds after three of them
// failed there.
const (
	standstill    = 15 * time.Second
	goesOnWithin  = 5 * time.Second
	rebuiltWithin = 15 * time.Second
)

// TestKafkaStandsStill: a Kafka that is paused for longer than any client waits costs that time and no more. Within five
// seconds of its return orders settle, their events are published, and units that were given back or added are for sale,
// without a fence. A rebuild, which needs its fence settled, ends soon after the library publishes to its partition again.
// Meanwhile settlement reports that it is stuck, and how many records wait.
func TestKafkaStandsStill(t *testing.T) {
	kafka := harness.Kafka(t)
	redis := harness.Redis(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}, Kafka: kafka}).run(1, 1)
	d := lasting(phone(1_000))
	s.open("rush", d)
	before := s.confirmed("before")

	kafka.Pause()
	meanwhile := s.taken(ask{buyer: "meanwhile"})
	require.Equal(t, 200, s.cancel(before, "before").status)
	<-time.After(standstill)
	standsStill(s)
	kafka.Continue()
	back := time.Now()

	after := s.taken(ask{buyer: "after"})
	require.Equal(t, "confirmed", s.waited(meanwhile.OrderID, "meanwhile").Status)
	require.Equal(t, "confirmed", s.waited(after.OrderID, "after").Status)
	unfenced := s.watchFences("rush")
	d.Items[0].Stock += 100
	require.Equal(t, 200, s.operate("PUT", "/admin/v1/sales/rush", d).status)
	s.nothingWaits("outbox", "events")
	require.Empty(t, s.checks(s.Settles[0].Listen))
	t.Log("everything went on after", time.Since(back).Round(time.Millisecond))
	require.Less(t, time.Since(back), goesOnWithin)
	unfenced()
	epoch := s.epochs("rush")[0]
	redis.MustDo(t, "SCRIPT", "FLUSH") // every bucket is rebuilt
	s.reopens("rush", 0, epoch)
	t.Log("the bucket was rebuilt after", time.Since(back).Round(time.Millisecond))
	require.Less(t, time.Since(back), rebuiltWithin)
	s.sellsOnce("after-the-rebuild")
	s.audit("rush")
}

// standsStill checks the readiness and metrics of a settle process while Kafka does not answer.
func standsStill(s *stack) {
	s.t.Helper()
	values := s.metrics(s.Settles[0].Listen)
	assertNamed(s, values, "flashsale_settle_lag_records")
	assert.Greater(s.t, values["flashsale_settle_stalled_seconds"], (standstill / 2).Seconds())
	assert.Contains(s.t, s.checks(s.Settles[0].Listen)["settle"], "has stalled for")
}

// nothingWaits waits until these tables are empty.
func (s *stack) nothingWaits(tables ...string) {
	s.t.Helper()
	db := s.DB()
	for _, table := range tables {
		require.Eventually(s.t, func() bool {
			var rows int
			return db.QueryRow("SELECT COUNT(*) FROM "+table).Scan(&rows) == nil && rows == 0
		}, 20*time.Second, 20*time.Millisecond, "rows of %s wait", table)
	}
}
