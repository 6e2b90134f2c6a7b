package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"flashsale/test/harness"
	"flashsale/test/stack"
	"flashsale/test/stack/link"
)

// fault is one kind of fault.
type fault struct {
	kind   string
	weight int
	kills  int  // processes that it kills
	loses  bool // Redis may lose acknowledged writes
	begin  func(*hand) deed
}

// lane is a part of the deployment. Its faults never overlap, because healing one would heal the other. The mean gap
// between two faults leaves the part some time to work. A lane whose faults close buckets usually waits until they are open
// again, so that a fault hits a running sale.
type lane struct {
	gap    time.Duration
	store  bool // whether it is a store, or the way to one
	closes bool
	faults []fault
}

// The faults of every kind. Weights: kills, after which a process remembers nothing, are more frequent than the rest.
var lanes = []lane{
	{1400 * time.Millisecond, false, false, []fault{
		{kind: "gateway killed", weight: 14, kills: 1, begin: killed((*hand).gateway)},
		{kind: "gateway paused", weight: 4, begin: paused((*hand).gateway)},
		{kind: "gateway restarted", weight: 2, begin: restarted((*hand).gateway)},
	}},
	{9 * time.Second, false, false, []fault{
		{kind: "settle killed", weight: 14, kills: 1, begin: killed((*hand).settle)},
		{kind: "settle paused", weight: 3, begin: paused((*hand).settle)},
		{kind: "settle restarted", weight: 2, begin: restarted((*hand).settle)},
		{kind: "offsets reset", weight: 2, begin: offsetsReset},
	}},
	{3 * time.Second, true, true, []fault{
		{kind: "Redis killed", weight: 8, kills: 1, begin: redisKilled},
		{kind: "Redis paused", weight: 2, begin: redisPaused},
		{kind: "Redis restarted", weight: 3, begin: redisRestarted},
		{kind: "Redis rewound by a second", weight: 5, kills: 1, loses: true, begin: redisRewound},
		{kind: "Redis failed over to a lagging replica", weight: 6, kills: 1, loses: true, begin: redisFailedOver},
		{kind: "Redis failed back to the old primary", weight: 4, loses: true, begin: redisFailedBack},
	}},
	{10 * time.Second, true, false, []fault{
		{kind: "Kafka broker killed", weight: 10, kills: 1, begin: brokerKilled},
		{kind: "Kafka broker paused", weight: 3, begin: brokerPaused},
		{kind: "Kafka broker restarted", weight: 1, begin: brokerRestarted},
		{kind: "all of Kafka killed", weight: 2, kills: brokerCount, begin: kafkaKilled},
	}},
	{6 * time.Second, true, false, []fault{
		{kind: "MariaDB killed", weight: 10, kills: 1, begin: mariadbKilled},
		{kind: "MariaDB paused", weight: 3, begin: mariadbPaused},
		{kind: "MariaDB restarted", weight: 1, begin: mariadbRestarted},
	}},
	{6 * time.Second, true, false, []fault{
		{kind: "link cut", weight: 5, begin: linked(link.Cut)},
		{kind: "link frozen", weight: 4, begin: linked(link.Frozen)},
		{kind: "link deaf", weight: 4, begin: linked(link.Deaf)},
		{kind: "link slow", weight: 4, begin: linked(link.Slow)},
	}},
	{8 * time.Second, false, false, []fault{
		{kind: "records delivered twice", weight: 4, begin: delivered},
		{kind: "clock set", weight: 6, begin: clockSet},
	}},
}

// noGateway is the gateway of a deed that hits something else.
const noGateway = -1

// plain is a deed that is not done to a gateway.
func plain(heal func(), text string) deed { return deed{heal: heal, text: text, gateway: noGateway} }

// nothing is a deed that needs no healing.
func nothing(text string) deed { return plain(func() {}, text) }

// done is a deed that is done to one of our processes.
func done(p *stack.Process, heal func(), text string) deed {
	d := plain(heal, text)
	if p.Operators != "" {
		d.gateway = p.Number
	}
	return d
}

func (h *hand) gateway() *stack.Process { return pick(h.random, h.w.Gateways) }
func (h *hand) settle() *stack.Process  { return pick(h.random, h.w.Settles) }

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

func killed(who func(*hand) *stack.Process) func(*hand) deed {
	return func(h *hand) deed {
		p := who(h)
		p.Kill()
		return done(p, p.Restart, p.Name)
	}
}

func paused(who func(*hand) *stack.Process) func(*hand) deed {
	return func(h *hand) deed {
		p := who(h)
		p.Pause()
		return done(p, p.Continue, p.Name)
	}
}

func restarted(who func(*hand) *stack.Process) func(*hand) deed {
	return func(h *hand) deed {
		p := who(h)
		code := p.Term()
		return done(p, p.Restart, fmt.Sprintf("%s, which ended with %d", p.Name, code))
	}
}

func redisKilled(h *hand) deed {
	h.w.redis.primary.Kill()
	return plain(h.w.redis.primary.Start, "")
}

func redisPaused(h *hand) deed {
	h.w.redis.primary.Pause()
	return plain(h.w.redis.primary.Continue, "")
}

func redisRestarted(h *hand) deed {
	h.w.redis.primary.Stop()
	return plain(h.w.redis.primary.Start, "")
}

// redisRewound kills Redis and cuts from its file what it wrote in the last second.
func redisRewound(h *hand) deed {
	p := h.w.redis
	file, size, err := p.appendOnly()
	if err != nil {
		h.w.t.Fatal(err)
	}
	h.wait(time.Second)
	p.primary.Kill()
	_, now, err := p.appendOnly()
	if err == nil {
		err = os.Truncate(file, min(size, now))
	}
	if err != nil {
		h.w.t.Fatal(err)
	}
	return plain(p.primary.Start, fmt.Sprintf("by %d bytes", now-size))
}

// redisFailedOver lets the replica lag, kills the primary and promotes the replica. The old primary returns as its replica.
func redisFailedOver(h *hand) deed {
	p := h.w.redis
	p.synced()
	lag := h.lag()
	p.primary.Kill()
	p.lead()
	old := p.replica
	return plain(func() {
		old.Start()
		p.follow()
	}, "lagging by "+lag.String())
}

// lag freezes the replication for a while.
func (h *hand) lag() time.Duration {
	lag := h.between(100*time.Millisecond, 1500*time.Millisecond)
	h.w.redis.stream.Set(link.Frozen, 0)
	h.wait(lag)
	return lag
}

// redisFailedBack promotes the lagging replica, sells there for a while, and goes back to the old primary, which still has
// the script and the data of before: meanwhile it was either demoted to a replica or only unreachable.
func redisFailedBack(h *hand) deed {
	p := h.w.redis
	p.synced()
	lag := h.lag()
	p.lead()
	text := "that was unreachable"
	if demoted := h.random.IntN(2) == 0; demoted {
		host, port := split(p.stream.Addr())
		p.replica.MustDo(h.w.t, "REPLICAOF", host, port) // the wire is frozen: it keeps its data
		text = "that was demoted"
	}
	return plain(func() {
		p.replica.MustDo(h.w.t, "REPLICAOF", "NO", "ONE")
		p.lead()
		p.follow()
	}, fmt.Sprintf("%s; the replica lagged by %s", text, lag))
}

func (h *hand) broker() *harness.KafkaNode { return pick(h.random, h.w.kafka) }

func brokerKilled(h *hand) deed {
	b := h.broker()
	b.Kill()
	return plain(func() { harness.StartTogether([]*harness.KafkaNode{b}) }, b.Direct)
}

func brokerRestarted(h *hand) deed {
	b := h.broker()
	b.Stop()
	return plain(func() { harness.StartTogether([]*harness.KafkaNode{b}) }, b.Direct)
}

func brokerPaused(h *hand) deed {
	b := h.broker()
	b.Pause()
	return plain(b.Continue, b.Direct)
}

func kafkaKilled(h *hand) deed {
	for _, b := range h.w.kafka {
		b.Kill()
	}
	return plain(func() { harness.StartTogether(h.w.kafka) }, "")
}

func mariadbKilled(h *hand) deed {
	h.w.MariaDB.Kill()
	return plain(h.w.MariaDB.Start, "")
}

func mariadbPaused(h *hand) deed {
	h.w.MariaDB.Pause()
	return plain(h.w.MariaDB.Continue, "")
}

func mariadbRestarted(h *hand) deed {
	h.w.MariaDB.Stop()
	return plain(h.w.MariaDB.Start, "")
}

func linked(mode link.Mode) func(*hand) deed {
	return func(h *hand) deed {
		wire := pick(h.random, h.w.wires.All)
		delay := h.between(20*time.Millisecond, 300*time.Millisecond)
		wire.Set(mode, delay)
		text := wire.Name
		if mode == link.Slow {
			text += " by " + delay.String()
		}
		return plain(healWire(wire, h.random.IntN(2) == 0), text)
	}
}

// healWire heals a wire. The bytes on a frozen or deaf wire then arrive or are lost with its connections, which produces
// unknown outcomes.
func healWire(wire *stack.Wire, lost bool) func() {
	return func() {
		if lost {
			wire.Set(link.Cut, 0)
		}
		wire.Heal()
	}
}

// clockSet steps the clock of one process forward or back, and heals it.
func clockSet(h *hand) deed {
	p := pick(h.random, h.w.Processes())
	steps := []time.Duration{50 * time.Millisecond, time.Second, 40 * time.Second, 11 * time.Minute, 2 * time.Hour}
	offset := pick(h.random, steps)
	if h.random.IntN(2) == 0 {
		offset = -offset
	}
	p.SetClock(offset)
	return plain(func() { p.SetClock(0) }, fmt.Sprintf("%s by %s", p.Name, offset))
}
