package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/buyers"
	"flashsale/test/check"
	"flashsale/test/harness"
)

var failoverRounds = flag.Int("failover-rounds", 1, "how often the tests of failovers kill the primary of Redis")

const (
	failoverUnits  = 6_000
	failoverBuyers = 15_000
	sellsWithin    = 10 * time.Second // from the moment at which there is a new primary
)

// TestSentinelFailover: the primary is killed in the middle of a rush. The Sentinels make a replica the primary, and the engine
// sells from it after a rebuild; nothing is oversold, and the books balance.
func TestSentinelFailover(t *testing.T) {
	sentinels := harness.SentinelSet(t, 2, "--appendfsync", "always")
	s := newStack(t, servers{Sentinels: sentinels}).run(2, 1)
	failOver(s, 1, 1, func(string) *harness.RedisServer { return sentinels.Primary() }, sentinels.Nodes)
}

// TestClusterFailover: the same with the primary of a Redis Cluster that has the sale's first bucket; its replica takes its
// slots.
func TestClusterFailover(t *testing.T) {
	nodes := harness.RedisClusterWithReplicas(t, 3, "--appendfsync", "always")
	s := newStack(t, servers{Redis: nodes}).run(2, 1)
	failOver(s, 4, 3, func(saleID string) *harness.RedisServer {
		at := harness.SlotOwner(t, nodes, 3, s.shelves(saleID, 0))
		pair := []*harness.RedisServer{nodes[at], nodes[at+3]}
		i := slices.IndexFunc(pair, (*harness.RedisServer).Leads)
		if i < 0 {
			return nil
		}
		return pair[i]
	}, nodes)
}

// failOver kills the present primary of a sale's first bucket in the middle of the rush of each round.
func failOver(s *stack, buckets, primaries int, primaryOf func(saleID string) *harness.RedisServer,
	nodes []*harness.RedisServer) {
	s.t.Helper()
	var took []time.Duration
	for round := range *failoverRounds {
		name := fmt.Sprintf("rush-%d", round)
		d := lasting(phone(failoverUnits))
		d.Buckets = buckets
		s.open(name, d)
		c := newCrowd(s, name, failoverBuyers)
		primary := func() *harness.RedisServer { return primaryOf(name) }
		old := primary()
		require.NotNil(s.t, old)
		var f failover
		c.OnTaken(failoverUnits/4, func() { f = c.killed(old, buckets, primary) })
		c.rush(c.presses(uint64(round), 0, []string{"phone"}, single))
		require.False(s.t, f.sold.IsZero(), "nothing was sold within %v of the new primary; answers: %v", sellsWithin, c.codes())
		took = append(took, f.sold.Sub(f.promoted))
		old.Start() // as a replica
		require.Eventually(s.t, func() bool { return harness.Following(nodes, primaries) == nil }, time.Minute,
			20*time.Millisecond)
		if primaries == 1 { // evidence of the units is read from one server
			s.Redis = []*harness.RedisServer{primary()}
		}
		b := c.judgedAfterLoss(check.Span{FromUS: f.killed.Add(-lostBefore).UnixMicro(), ToUS: f.promoted.UnixMicro()})
		require.Equal(s.t, failoverUnits, b.units["phone"], "every unit is sold, and none twice; answers: %v", c.codes())
		s.t.Logf("round %d: a new primary after %v, sold again %v later; answers: %v", round,
			f.promoted.Sub(f.killed).Round(time.Millisecond), took[round].Round(time.Millisecond), c.codes())
	}
	slices.Sort(took)
	s.t.Logf("%d rounds: sold again after a median of %v, at most %v", len(took), took[len(took)/2], took[len(took)-1])
}

// failover has the moments of one: sold is zero where nothing was sold in time.
type failover struct{ killed, promoted, sold time.Time }

// lostBefore is the lag within which a replica may lack writes of the primary that was killed.
const lostBefore = 2 * time.Second

// killed kills a primary and waits for another, and then until a buyer who presses for the first time, at home in the first
// bucket, gets a unit: other buckets may be on other servers, and never stop.
func (c *crowd) killed(old *harness.RedisServer, buckets int, primary func() *harness.RedisServer) (f failover) {
	old.Kill()
	f.killed = time.Now()
	assert.Eventually(c.s.t, func() bool { p := primary(); return p != nil && p != old }, time.Minute, 5*time.Millisecond)
	f.promoted = time.Now()
	with := c.NewClient()
	defer with.Close()
	late := c.buyers
	assert.Eventually(c.s.t, func() bool {
		for late++; sale.HomeBucket(buyers.Name(late), buckets) != 0; {
			late++
		}
		answer := c.Ask(with, c.press(late, 0))
		if answer.Status == 202 {
			f.sold = time.Now()
		}
		return answer.Status == 202
	}, sellsWithin, 10*time.Millisecond)
	return f
}

// judgedAfterLoss judges a sale during which a replica took over. It may have lacked the primary's last writes, so orders that
// were only held may be refused; what was queued has its row, and no unit is sold twice.
func (c *crowd) judgedAfterLoss(loss check.Span) orderRows {
	c.s.t.Helper()
	c.s.audit(c.sale)
	rest := time.Now().UnixMicro()
	c.askWhoDidNotKnow()
	e := c.s.evidence(c.sale)
	of := e.Sales[c.sale]
	of.Loaded = map[string]int64{"phone": failoverUnits}
	e.Sales[c.sale], e.Ops, e.RestUS, e.Calm, e.Losses = of, c.Out.Ops(), rest, false, []check.Span{loss}
	c.s.judge(e, c.codes())
	return orderRowsOf(e.Rows)
}

// sentinelRights are the words of the page's line for the engine's user of a Sentinel.
func sentinelRights(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "docs", "operations.md"))
	require.NoError(t, err)
	_, line, found := strings.Cut(string(text), "redis-cli -p 26379 ")
	require.True(t, found)
	line, _, _ = strings.Cut(line, "\n")
	line = strings.ReplaceAll(strings.ReplaceAll(line, "'", ""), "PASSWORD", harness.PasswordOf("flashsale"))
	return strings.Fields(line)
}

// TestSentinelRights: with exactly the rights that the page names on the Sentinels, processes and audit find the primary, follow
// a failover, and are refused nothing.
func TestSentinelRights(t *testing.T) {
	sentinels := harness.SentinelSet(t, 1)
	words := sentinelRights(t)
	for _, w := range sentinels.Watchers {
		w.MustDo(t, words...)
	}
	s := newStack(t, servers{Sentinels: sentinels, Env: []string{
		"FLASHSALE_REDIS_SENTINEL_USERNAME=flashsale",
		"FLASHSALE_REDIS_SENTINEL_PASSWORD=" + harness.PasswordOf("flashsale"),
	}}).run(1, 1)
	s.open("rush", lasting(phone(10)))
	s.taken(ask{buyer: "ann"})
	old := sentinels.Primary()
	require.NotNil(t, old)
	old.Kill()
	s.sells(0, "bob")
	s.audit("rush")
	for _, w := range sentinels.Watchers {
		assert.Empty(t, w.MustDo(t, "ACL", "LOG"), "a Sentinel has refused a command")
	}
	granted := rights{redis: words}
	for _, name := range granted.commands() { // each is missed at once
		for _, w := range sentinels.Watchers {
			w.MustDo(t, "ACL", "SETUSER", "flashsale", "-"+name)
		}
		s.Command("audit", "rush") // connects anew
		require.Eventually(t, func() bool {
			return slices.ContainsFunc(sentinels.Watchers, func(w *harness.RedisServer) bool {
				return strings.Contains(fmt.Sprint(w.MustDo(t, "ACL", "LOG")), name)
			})
		}, 10*time.Second, 50*time.Millisecond, "%s is granted and not used", name)
		for _, w := range sentinels.Watchers {
			w.MustDo(t, "ACL", "SETUSER", "flashsale", "+"+name)
			w.MustDo(t, "ACL", "LOG", "RESET")
		}
	}
	stranger := s.NewGateway("FLASHSALE_REDIS_SENTINEL_PASSWORD=wrong")
	stranger.Start()
	s.notReady(stranger, "redis", "WRONGPASS")
	s.Gateways = s.Gateways[:1]
	nameless := s.NewGateway("FLASHSALE_REDIS_SENTINEL_MASTER=another")
	nameless.Start()
	s.notReady(nameless, "redis", "No such master with that name")
}
