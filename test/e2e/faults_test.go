package e2e

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers/history"
	"flashsale/test/harness"
)

// TestKillDuringRush kills one gateway and one settle process the hard way when a third is sold, and starts them again
// while the rush goes on.
func TestKillDuringRush(t *testing.T) {
	s := newStack(t, servers{}).run(2, 2)
	s.open("rush", lasting(phone(rushUnits)))
	c := newCrowd(s, "rush", rushBuyers)
	restarted := make(chan struct{})
	c.OnTaken(rushUnits/3, func() {
		s.Gateways[1].Kill()
		s.Settles[1].Kill()
		go func() {
			defer close(restarted)
			s.Gateways[1].Restart()
			s.Settles[1].Restart()
		}()
	})
	c.rush(c.presses(3, rushRepeats, []string{"phone"}, single))
	<-restarted
	s.Gateways[1].Ready()
	s.Settles[1].Ready()
	t.Log("answers:", c.codes())
	assert.Positive(t, c.codes()["no answer"], "the kill was felt")
	b := c.check(1, map[string]int{"phone": rushUnits})
	require.Equal(t, rushUnits, b.units["phone"])
	require.Len(t, b.byBuyer, rushUnits)
}

const (
	outage    = 10 * time.Second
	perSecond = 200
	lead      = 400 // answers before and after the outage
)

// duringOutage keeps up a steady traffic while stop and start take a server away for ten seconds, and returns the
// presses sent while it was away.
func duringOutage(c *crowd, stop, start func()) (away []history.Op) {
	c.s.t.Helper()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		c.paced(perSecond, "phone", end)
	}()
	c.heard(lead)
	stop()
	from := time.Now()
	<-time.After(outage) // the length of the outage is what is tested
	until := time.Now()
	start()
	back := time.Now()
	require.Eventually(c.s.t, func() bool { return c.said("queued", back) }, 20*time.Second, 50*time.Millisecond,
		"nobody is told queued again")
	c.heard(c.Out.Ended() + lead)
	close(end)
	<-ended
	for _, op := range c.purchases() {
		if op.Sent().After(from) && op.Sent().Before(until) {
			away = append(away, op)
		}
	}
	require.Greater(c.s.t, len(away), perSecond*5, "the traffic went on")
	return away
}

// TestKafkaAway: the sale goes on with answers that say held, and all of them settle when Kafka is back.
func TestKafkaAway(t *testing.T) {
	kafka := harness.Kafka(t)
	s := newStack(t, servers{Kafka: kafka}).run(2, 2)
	s.open("rush", lasting(phone(2*rushUnits)))
	c := newCrowd(s, "rush", 2*rushUnits)
	away := duringOutage(c, kafka.Kill, kafka.Start)
	t.Log("answers:", c.codes())
	held := ""
	for _, answer := range away {
		require.Equal(t, http.StatusAccepted, answer.Status, answer.Word())
		if answer.Word() == "held" {
			held = answer.Order().Order
		}
	}
	require.NotEmpty(t, held, "nobody was told held")
	b := c.check(1, map[string]int{"phone": 2 * rushUnits})
	require.Equal(t, len(c.purchases()), b.units["phone"])
	require.Equal(t, "confirmed", b.rows[held].status)
}

// TestJournalIsBounded: with Kafka silent the engine takes as many orders as the journal may hold and no more, says
// unavailable then, and settles all of them when Kafka speaks again.
func TestJournalIsBounded(t *testing.T) {
	const bound = 50
	kafka := harness.Kafka(t)
	s := newStack(t, servers{Kafka: kafka, Env: []string{"FLASHSALE_RESERVE_JOURNAL_MAX_ORDERS=50", "FLASHSALE_GATEWAY_ACK_TIMEOUT=100ms"}}).run(2, 1)
	s.open("rush", lasting(phone(rushUnits)))
	c := newCrowd(s, "rush", 500)
	kafka.Pause()
	answers := c.Round(c.presses(8, 0, []string{"phone"}, single))
	t.Log("answers:", c.codes())
	assert.LessOrEqual(t, countStatus(answers, 202), bound)
	assert.Positive(t, c.codes()["held"])
	assert.Positive(t, c.codes()["unavailable"])
	s.refused(s.buy(ask{buyer: "one-more"}), 503, "unavailable")
	kafka.Continue()
	c.rush(pressesOf(answers))
	b := c.check(1, map[string]int{"phone": rushUnits})
	require.Equal(t, c.buyers, b.units["phone"])
}

// TestMariaDBAway: Kafka keeps what is sold, buyers are told queued, and all of it settles when the database is back.
func TestMariaDBAway(t *testing.T) {
	mariadb := harness.MariaDB(t)
	s := newStack(t, servers{MariaDB: mariadb}).run(2, 2)
	s.open("rush", lasting(phone(2*rushUnits)))
	c := newCrowd(s, "rush", 2*rushUnits)
	away := duringOutage(c, mariadb.Kill, mariadb.Start)
	t.Log("answers:", c.codes())
	for _, answer := range away {
		require.Equal(t, "queued", answer.Word())
	}
	b := c.check(1, map[string]int{"phone": 2 * rushUnits})
	require.Equal(t, len(c.purchases()), b.units["phone"])
}

// TestColdStart: everything is stopped, Redis comes back empty, and the sale goes on from what the database knows:
// owners keep their orders and their keys, and exactly the rest is sold.
func TestColdStart(t *testing.T) {
	redis := harness.Redis(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}}).run(1, 1)
	const units, first = 300, 100
	s.open("rush", lasting(phone(units)))
	c := newCrowd(s, "rush", 1_000)
	before := c.Round(c.presses(4, 0, []string{"phone"}, single)[:first])
	s.audit("rush")
	require.Zero(t, s.Gateways[0].Term())
	require.Zero(t, s.Settles[0].Term())
	redis.MustDo(t, "FLUSHALL")
	redis.Kill()
	redis.Start()
	s.Settles[0].Restart()
	s.Settles[0].Ready()
	s.Gateways[0].Restart()
	s.Gateways[0].Ready()
	c.rush(append(pressesOf(before), c.presses(5, 0, []string{"phone"}, func(*rand.Rand) int { return 1 })...))
	t.Log("answers:", c.codes())
	b := c.check(1, map[string]int{"phone": units})
	require.Equal(t, units, b.units["phone"])
	for _, r := range b.rows {
		require.Equal(t, "confirmed", r.status)
	}
}

func pressesOf(answers []history.Op) []history.Question {
	list := make([]history.Question, len(answers))
	for i := range answers {
		list[i] = answers[i].Question
	}
	return list
}

// TestTermLosesNothing: processes that are asked to end answer what they have begun and publish what they have taken.
func TestTermLosesNothing(t *testing.T) {
	s := newStack(t, servers{}).run(2, 1)
	const units = 4_000
	s.open("rush", lasting(phone(units)))
	c := newCrowd(s, "rush", 20_000)
	code := make(chan int, 1)
	c.OnTaken(units/2, func() { go func() { code <- s.Gateways[1].Term() }() })
	require.Zero(t, s.Settles[0].Term(), "a settle process that is asked to end exits 0")
	list := c.presses(6, 0, []string{"phone"}, single)
	answers := c.Round(list)
	require.Zero(t, <-code, "a gateway that is asked to end exits 0")
	for _, answer := range answers {
		require.NotEqual(t, http.StatusGatewayTimeout, answer.Status)
	}
	s.Gateways[1].Restart()
	s.Gateways[1].Ready()
	s.Settles[0].Restart()
	s.Settles[0].Ready()
	c.rush(list)
	b := c.check(1, map[string]int{"phone": units})
	require.Equal(t, units, b.units["phone"])
}
