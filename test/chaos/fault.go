package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"flashsale/test/chaos/clock"
	"flashsale/test/chaos/link"
	"flashsale/test/harness"
)

// fault is one kind of misfortune. begin does it and returns what heals it and how it is told in the log. Two faults of
// one part never overlap, because healing one would heal the other.
type fault struct {
	kind   string
	part   string
	weight int
	kills  int  // processes that it kills
	loses  bool // Redis may lose acknowledged writes
	begin  func(*nemesis) (heal func(), told string)
}

// Faults of every kind that the suite knows. Weights: what is cheap to heal comes more often.
var faults = []fault{
	{kind: "gateway killed", part: "gateway", weight: 10, kills: 1, begin: killed((*nemesis).gateway)},
	{kind: "gateway paused", part: "gateway", weight: 6, begin: paused((*nemesis).gateway)},
	{kind: "gateway restarted", part: "gateway", weight: 4, begin: restarted((*nemesis).gateway)},
	{kind: "settle killed", part: "settle", weight: 10, kills: 1, begin: killed((*nemesis).settle)},
	{kind: "settle paused", part: "settle", weight: 4, begin: paused((*nemesis).settle)},
	{kind: "settle restarted", part: "settle", weight: 3, begin: restarted((*nemesis).settle)},
	{kind: "Redis killed", part: "redis", weight: 8, kills: 1, begin: redisKilled},
	{kind: "Redis paused", part: "redis", weight: 4, begin: redisPaused},
	{kind: "Redis restarted", part: "redis", weight: 4, begin: redisRestarted},
	{kind: "Redis rewound by a second", part: "redis", weight: 6, kills: 1, loses: true, begin: redisRewound},
	{kind: "Redis failed over to a lagging replica", part: "redis", weight: 6, kills: 1, loses: true, begin: redisFailedOver},
	{kind: "Redis failed back to the old primary", part: "redis", weight: 5, loses: true, begin: redisFailedBack},
	{kind: "Kafka broker killed", part: "kafka", weight: 3, kills: 1, begin: brokerKilled},
	{kind: "Kafka broker paused", part: "kafka", weight: 3, begin: brokerPaused},
	{kind: "Kafka broker restarted", part: "kafka", weight: 1, begin: brokerRestarted},
	{kind: "all of Kafka killed", part: "kafka", weight: 2, kills: brokerCount, begin: kafkaKilled},
	{kind: "MariaDB killed", part: "mariadb", weight: 6, kills: 1, begin: mariadbKilled},
	{kind: "MariaDB paused", part: "mariadb", weight: 4, begin: mariadbPaused},
	{kind: "MariaDB restarted", part: "mariadb", weight: 2, begin: mariadbRestarted},
	{kind: "link cut", part: "link", weight: 5, begin: linked(link.Cut)},
	{kind: "link frozen", part: "link", weight: 4, begin: linked(link.Frozen)},
	{kind: "link deaf", part: "link", weight: 4, begin: linked(link.Deaf)},
	{kind: "link slow", part: "link", weight: 4, begin: linked(link.Slow)},
	{kind: "records delivered twice", part: "records", weight: 4, begin: delivered},
	{kind: "offsets reset", part: "settle", weight: 3, begin: offsetsReset},
	{kind: "clock set", part: "clock", weight: 6, begin: clockSet},
}

func (n *nemesis) gateway() *process { return pick(n.random, n.w.gateways) }
func (n *nemesis) settle() *process  { return pick(n.random, n.w.settles) }

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

func killed(who func(*nemesis) *process) func(*nemesis) (func(), string) {
	return func(n *nemesis) (func(), string) {
		p := who(n)
		p.Kill()
		return p.Restart, p.name
	}
}

func paused(who func(*nemesis) *process) func(*nemesis) (func(), string) {
	return func(n *nemesis) (func(), string) {
		p := who(n)
		p.Pause()
		return p.Continue, p.name
	}
}

func restarted(who func(*nemesis) *process) func(*nemesis) (func(), string) {
	return func(n *nemesis) (func(), string) {
		p := who(n)
		code := p.Term()
		return p.Restart, fmt.Sprintf("%s, which ended with %d", p.name, code)
	}
}

func redisKilled(n *nemesis) (func(), string) {
	n.w.redis.primary.Kill()
	return n.w.redis.primary.Start, ""
}

func redisPaused(n *nemesis) (func(), string) {
	n.w.redis.primary.Pause()
	return n.w.redis.primary.Continue, ""
}

func redisRestarted(n *nemesis) (func(), string) {
	n.w.redis.primary.Stop()
	return n.w.redis.primary.Start, ""
}

// redisRewound kills Redis and cuts from its file what it wrote in the last second.
func redisRewound(n *nemesis) (func(), string) {
	p := n.w.redis
	file, size, err := p.appendOnly()
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.wait(time.Second)
	p.primary.Kill()
	_, now, err := p.appendOnly()
	if err == nil {
		err = os.Truncate(file, min(size, now))
	}
	if err != nil {
		n.w.t.Fatal(err)
	}
	return p.primary.Start, fmt.Sprintf("by %d bytes", now-size)
}

// redisFailedOver lets the replica lag, kills the primary and promotes the replica. The old primary comes back as its
// replica.
func redisFailedOver(n *nemesis) (func(), string) {
	p := n.w.redis
	p.synced()
	lag := n.lag()
	p.primary.Kill()
	p.lead()
	old := p.replica
	return func() {
		old.Start()
		p.follow()
	}, "lagging by " + lag.String()
}

// lag freezes the replication for a while.
func (n *nemesis) lag() time.Duration {
	lag := n.between(100*time.Millisecond, 1500*time.Millisecond)
	n.w.redis.stream.Set(link.Frozen, 0)
	n.wait(lag)
	return lag
}

// redisFailedBack promotes the lagging replica, sells there for a while, and goes back to the old primary, which still
// has the script and the data of before: either it was told to replicate meanwhile, or it was only out of reach.
func redisFailedBack(n *nemesis) (func(), string) {
	p := n.w.redis
	p.synced()
	lag := n.lag()
	p.lead()
	told := "that was out of reach"
	if demoted := n.random.IntN(2) == 0; demoted {
		host, port := split(p.stream.Addr())
		p.replica.MustDo(n.w.t, "REPLICAOF", host, port) // the wire is frozen: it keeps its data
		told = "that was demoted"
	}
	return func() {
		p.replica.MustDo(n.w.t, "REPLICAOF", "NO", "ONE")
		p.lead()
		p.follow()
	}, fmt.Sprintf("%s; the replica lagged by %s", told, lag)
}

func (n *nemesis) broker() *harness.KafkaNode { return pick(n.random, n.w.kafka) }

func brokerKilled(n *nemesis) (func(), string) {
	b := n.broker()
	b.Kill()
	return func() { harness.StartTogether([]*harness.KafkaNode{b}) }, b.Direct
}

func brokerRestarted(n *nemesis) (func(), string) {
	b := n.broker()
	b.Stop()
	return func() { harness.StartTogether([]*harness.KafkaNode{b}) }, b.Direct
}

func brokerPaused(n *nemesis) (func(), string) {
	b := n.broker()
	b.Pause()
	return b.Continue, b.Direct
}

func kafkaKilled(n *nemesis) (func(), string) {
	for _, b := range n.w.kafka {
		b.Kill()
	}
	return func() { harness.StartTogether(n.w.kafka) }, ""
}

func mariadbKilled(n *nemesis) (func(), string) {
	n.w.mariadb.Kill()
	return n.w.mariadb.Start, ""
}

func mariadbPaused(n *nemesis) (func(), string) {
	n.w.mariadb.Pause()
	return n.w.mariadb.Continue, ""
}

func mariadbRestarted(n *nemesis) (func(), string) {
	n.w.mariadb.Stop()
	return n.w.mariadb.Start, ""
}

func linked(mode link.Mode) func(*nemesis) (func(), string) {
	return func(n *nemesis) (func(), string) {
		wire := pick(n.random, n.w.wires)
		delay := n.between(20*time.Millisecond, 300*time.Millisecond)
		wire.Set(mode, delay)
		told := wire.name
		if mode == link.Slow {
			told += " by " + delay.String()
		}
		return healWire(wire, n.random.IntN(2) == 0), told
	}
}

// healWire makes a wire good again. What is on a frozen or deaf one arrives then, or is lost with its connections: that
// is where outcomes nobody knows come from.
func healWire(wire *wire, lost bool) func() {
	return func() {
		if lost {
			wire.Set(link.Cut, 0)
		}
		wire.Heal()
	}
}

// clockSet steps the clock of one process, forth or back, and sets it right again.
func clockSet(n *nemesis) (func(), string) {
	p := pick(n.random, n.w.processes())
	steps := []time.Duration{50 * time.Millisecond, time.Second, 40 * time.Second, 11 * time.Minute, 2 * time.Hour}
	offset := pick(n.random, steps)
	if n.random.IntN(2) == 0 {
		offset = -offset
	}
	set := func(to time.Duration) {
		if err := clock.Set(p.clock, to); err != nil {
			n.w.t.Fatal(err)
		}
	}
	set(offset)
	return func() { set(0) }, fmt.Sprintf("%s by %s", p.name, offset)
}
