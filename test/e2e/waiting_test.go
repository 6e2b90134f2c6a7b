package e2e

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"flashsale/test/harness"
)

// TestWhatCannotBeDeliveredWaits: outbox rows while Redis does not answer and events while Kafka does not are counted,
// and every one of them arrives when the server is back.
func TestWhatCannotBeDeliveredWaits(t *testing.T) {
	redis, kafka := harness.Redis(t), harness.Kafka(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}, Kafka: kafka}).run(1, 1)
	s.open("rush", lasting(phone(2)))
	one, two := s.confirmed("one"), s.confirmed("two")
	waiting := func(what string, some bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			rows, shown := s.metrics(s.Settles[0].Listen)["flashsale_"+what+"_waiting_rows"]
			return shown && (rows > 0) == some
		}, 30*time.Second, 50*time.Millisecond, "%s: some wait: %v", what, some)
	}
	waiting("outbox", false)
	waiting("events", false)

	redis.Pause()
	require.Equal(t, 200, s.cancel(one, "one").status, "the database decides")
	waiting("outbox", true)
	redis.Continue()
	waiting("outbox", false)
	s.sells(0, "three")

	kafka.Pause()
	require.Equal(t, 200, s.cancel(two, "two").status)
	waiting("events", true)
	kafka.Continue()
	waiting("events", false)
	s.sells(0, "four")
	s.audit("rush")
	assert.Len(t, s.books("rush").rows, 4)
	waiting("events", false)
	told := s.toldEvents(6)
	for _, o := range []order{one, two} {
		assert.Equal(t, []string{"confirmed", "cancelled"}, told[o.OrderID], "in order, whatever was away")
	}
}

// toldEvents reads the events topic until it has told so many different things, and returns what became of each order. What is
// told again counts once.
func (s *stack) toldEvents(distinct int) map[string][]string {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.ConsumeTopics(s.Name+".events"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(s.t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	seen, told := map[string]bool{}, map[string][]string{}
	for len(seen) < distinct {
		page := client.PollFetches(ctx)
		require.NoError(s.t, ctx.Err(), "only %d events: %v", len(seen), told)
		page.EachRecord(func(r *kgo.Record) {
			var event struct {
				ID   string `json:"id"`
				Data struct {
					OrderID string `json:"order_id"`
					Status  string `json:"status"`
				} `json:"data"`
			}
			require.NoError(s.t, json.Unmarshal(r.Value, &event), "%s", r.Value)
			if !seen[event.ID] {
				seen[event.ID] = true
				told[event.Data.OrderID] = append(told[event.Data.OrderID], event.Data.Status)
			}
		})
	}
	return told
}
