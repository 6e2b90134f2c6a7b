package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// pausedByEngine waits until the engine itself has paused a sale, and returns the reason that the stats show.
func (s *stack) pausedByEngine(id string) string {
	s.t.Helper()
	var reason string
	require.Eventually(s.t, func() bool {
		stats := s.operate("GET", "/admin/v1/sales/"+id+"/stats", nil).json(s)
		reason, _ = stats["reason"].(string)
		return stats["state"] == "paused"
	}, 20*time.Second, 50*time.Millisecond, "sale %s is not paused", id)
	return reason
}

// reload has every bucket rebuilt from the database, as the operator's page describes, and resumes the sale.
func (s *stack) reload(id string) {
	s.t.Helper()
	s.Redis[0].MustDo(s.t, "SCRIPT", "FLUSH")
	require.Eventually(s.t, func() bool { return s.Command("audit", id).Code == 0 }, 20*time.Second, 50*time.Millisecond,
		"the books do not balance again")
	s.move(id, "resume")
	assert.Empty(s.t, s.operate("GET", "/admin/v1/sales/"+id+"/stats", nil).json(s)["reason"])
	for _, g := range s.Gateways {
		s.eventuallyState(g, id, "open")
	}
}

// TestEnginePausesASaleWhoseBooksAreOff: units vanish from Redis without a trace. The engine pauses the sale with the
// reason, and the sale continues when the operator has had it reloaded.
func TestEnginePausesASaleWhoseBooksAreOff(t *testing.T) {
	redis := harness.Redis(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	s.confirmed("before")
	const gauge = `flashsale_conservation_error_units{sale="rush",sku="phone"}`
	require.Eventually(t, func() bool {
		off, shown := s.metrics(s.Settles[0].Listen)[gauge]
		return shown && off == 0
	}, 20*time.Second, 50*time.Millisecond)
	s.moveUnits(redis, "rush", 0, "phone", -3)
	stolen := time.Now()
	reason := s.pausedByEngine("rush")
	assert.GreaterOrEqual(t, time.Since(stolen), 4*time.Second, "a rebuild would have had time to repair it")
	assert.Contains(t, reason, "SKU phone is off by 3 units: loaded 10, available 6, in flight 0, settled 1, released 0")
	assert.EqualValues(t, 3, s.metrics(s.Settles[0].Listen)[gauge])
	s.eventuallyState(s.Gateways[0], "rush", "paused")
	s.refused(s.buy(ask{buyer: "late"}), 503, "paused")
	s.reload("rush")
	for i := range 9 {
		s.sells(0, fmt.Sprintf("rest-%d", i))
	}
	s.audit("rush")
	assert.Equal(t, 10, s.orderRows("rush").units["phone"])
}

// TestDatabaseThatLostACancellation: a backup was restored that is older than a cancellation, in the same epoch. The topic
// brings the order back, but not its cancellation: Redis sells a unit that the database still counts as sold. Redis has
// applied an outbox row that the database has not, so the bucket is rebuilt, and the units by the database are sold.
func TestDatabaseThatLostACancellation(t *testing.T) {
	redis := harness.Redis(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	s.confirmed("before")
	s.backup()
	lost := s.confirmed("lost")
	require.Equal(t, 200, s.cancel(lost, "lost").status)
	s.audit("rush") // the unit is in Redis again
	s.stop()
	s.restore()
	s.Gateways[0].Restart()
	s.Settles[0].Restart()
	s.Gateways[0].Ready()
	require.Eventually(t, func() bool { return strings.Contains(s.Settles[0].Stderr(), `"reason":"outbox"`) }, 20*time.Second,
		20*time.Millisecond)
	require.Eventually(t, func() bool { return s.Command("audit", "rush").Code == 0 }, 20*time.Second, 50*time.Millisecond,
		"the books do not balance again")
	assert.Equal(t, "confirmed", s.becomes(lost, "lost", "confirmed").Status, "the database decides")
	require.Equal(t, 200, s.cancel(lost, "lost").status)
	for i := range 9 {
		s.sells(0, fmt.Sprintf("rest-%d", i))
	}
	s.audit("rush")
	assert.Equal(t, 1, len(s.orderRows("rush").byBuyer["lost/phone"]))
}
