package e2e

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
	deployed "flashsale/test/stack"
	"flashsale/test/stack/link"
)

// brake returns what the operators' API shows of the brake, nil for none.
func (s *stack) brake() object {
	s.t.Helper()
	answer := s.operate("GET", "/admin/v1/rules", nil)
	require.Equal(s.t, 200, answer.status, "%s", answer.body)
	brake, _ := answer.json(s)["brake"].(map[string]any)
	return brake
}

// braked waits until purchases are slowed for a reason and until each gateway refuses a press by it.
func (s *stack) braked(reason string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.brake()["reason"] == reason }, 30*time.Second, 50*time.Millisecond)
	for g := range s.Gateways {
		require.Eventually(s.t, func() bool {
			answer := s.buy(ask{gateway: g, buyer: "in-a-hurry"})
			if answer.status == 429 {
				s.refused(answer, 429, "rate_limited")
				s.retryWithin(answer, 1, 3)
			}
			return answer.status == 429
		}, 10*time.Second, time.Millisecond)
	}
}

// unbraked waits until purchases are not slowed.
func (s *stack) unbraked(what string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.brake() == nil }, 60*time.Second, 50*time.Millisecond, what)
}

// brakeTrail returns what the trail has of the brake: before and after, oldest first.
func (s *stack) brakeTrail() (found [][2]string) {
	s.t.Helper()
	rows, err := s.DB().QueryContext(s.t.Context(),
		"SELECT before_value, after_value FROM trail WHERE verb = 'brake' AND target = 'rules' AND who = 'engine' "+
			"ORDER BY entry_id")
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, rows.Close()) }()
	for rows.Next() {
		var entry [2]string
		require.NoError(s.t, rows.Scan(&entry[0], &entry[1]))
		found = append(found, entry)
	}
	require.NoError(s.t, rows.Err())
	return found
}

// pacing keeps up a steady traffic until end is called.
func (c *crowd) pacing(perSecond int) (end func()) {
	stop := make(chan struct{})
	var pressing sync.WaitGroup
	pressing.Go(func() { c.paced(perSecond, "phone", stop) })
	return sync.OnceFunc(func() { close(stop); pressing.Wait() })
}

// TestTheBrakeWaitsForRows: while the database is slow for settlement, purchases are slowed and not stopped. When the process
// that keeps the brake is killed, the brake runs out; the next process begins another one. When the rows have caught up, the
// brake ends, and no order is lost.
func TestTheBrakeWaitsForRows(t *testing.T) {
	wires := deployed.NewWires(t)
	s := newStack(t, servers{Wires: wires, Env: []string{
		"FLASHSALE_BRAKE_ROWS=150", "FLASHSALE_SETTLE_BATCH_MAX_ROWS=20",
	}}).run(2, 1)
	s.open("rush", lasting(phone(100_000)))
	s.taken(ask{buyer: "first"})
	require.Nil(t, s.brake())
	var slow *deployed.Wire
	for _, wire := range wires.To(deployed.ToMariaDB) {
		if wire.Name == "settle 0 to mariadb" {
			slow = wire
		}
	}
	slow.Set(link.Slow, 50*time.Millisecond)
	c := newCrowd(s, "rush", 100_000)
	end := c.pacing(200)
	s.braked("rows")
	s.soon("the metric shows the limit", func() bool { // the answer to the governor comes over the slow wire
		return s.metrics(s.Settles[0].Listen)["flashsale_brake_per_second"] > 0
	})
	began := time.Now()
	s.soon("a sale that is slowed sells", func() bool { return c.answeredSince("queued", began) })

	s.Settles[0].Kill()
	s.unbraked("a brake that nobody renews runs out")
	s.Settles[0].Start()
	s.Settles[0].Ready()
	s.braked("rows")
	end()
	slow.Heal()
	s.unbraked("the rows catch up, and the brake ends")
	s.soon("the metric is 0", func() bool { return s.metrics(s.Settles[0].Listen)["flashsale_brake_per_second"] == 0 })
	after := time.Now()
	end = c.pacing(100)
	c.waitAnswers(c.Out.Ended() + 200)
	end()
	assert.False(t, c.answeredSince("rate_limited", after.Add(time.Second)), "purchases are free")

	trail := s.brakeTrail()
	require.GreaterOrEqual(t, len(trail), 3)
	assert.Equal(t, "null", trail[0][0])
	assert.Contains(t, trail[0][1], `"reason":"rows"`)
	assert.Equal(t, "null", trail[len(trail)-1][1])
	for code := range c.codes() {
		assert.Contains(t, []string{"queued", "held", "confirmed", "rate_limited"}, code, "nothing is full")
	}
	s.audit("rush")
}

// TestTheBrakeKeepsAJournalFromFilling: while Kafka is away, the brake begins at half of the journal and leaves so few
// purchases that the journal is never full, which would be answered unavailable. When Kafka is back, the brake ends.
func TestTheBrakeKeepsAJournalFromFilling(t *testing.T) {
	kafka := harness.Kafka(t)
	s := newStack(t, servers{Kafka: kafka, Env: []string{
		"FLASHSALE_BRAKE_JOURNAL_PERCENT=50", "FLASHSALE_RESERVE_JOURNAL_MAX_ORDERS=800",
	}}).run(1, 1)
	s.open("rush", lasting(phone(100_000)))
	s.taken(ask{buyer: "first"})
	kafka.Pause()
	c := newCrowd(s, "rush", 100_000)
	end := c.pacing(50)
	s.braked("journal")
	for range 3 {
		c.waitAnswers(c.Out.Ended() + 50)
	}
	codes := c.codes()
	assert.Zero(t, codes["unavailable"], "%v", codes)
	assert.Positive(t, codes["rate_limited"], "%v", codes)
	kafka.Continue()
	s.unbraked("the journal empties, and the brake ends")
	end()
	trail := s.brakeTrail()
	require.Len(t, trail, 2)
	assert.Contains(t, trail[0][1], `"reason":"journal"`)
	assert.Equal(t, "null", trail[1][1])
	s.audit("rush")
}
