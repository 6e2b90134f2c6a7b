package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// Lengths of the standstill: longer than sarama's longest read timeout here, so that every connection has failed meanwhile;
// and how soon everything has to go on.
const (
	standstill   = 15 * time.Second
	goesOnWithin = 5 * time.Second
)

// TestKafkaStandsStill: a Kafka that stood still for longer than any client waits costs the time that it stood, and no
// more: an order settles, is told, is given back and the bucket is rebuilt, within five seconds of its return. Meanwhile
// settlement says that it stands, and how much waits.
func TestKafkaStandsStill(t *testing.T) {
	kafka := harness.Kafka(t)
	s := newStack(t, servers{kafka: kafka}).run(1, 1)
	s.open("rush", lasting(phone(1_000)))
	before := s.taken(ask{buyer: "before"})
	require.Equal(t, "confirmed", s.waited(before.OrderID, "before").Status)

	kafka.Pause()
	held := s.taken(ask{buyer: "meanwhile"})
	<-time.After(standstill)
	kafka.Continue()
	back := time.Now()

	after := s.taken(ask{buyer: "after"})
	for buyer, id := range map[string]string{"meanwhile": held.OrderID, "after": after.OrderID} {
		require.Equal(t, "confirmed", s.waited(id, buyer).Status)
	}
	t.Log("settled after", time.Since(back).Round(time.Millisecond))
	require.Less(t, time.Since(back), goesOnWithin)
}
