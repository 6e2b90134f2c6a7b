package sim

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// plan holds the faults of a sale. Each happens at a step: the n-th call of a kind, by any process.
type plan struct {
	mu     sync.Mutex
	chance *chance
	coming []*fault
	struck []string // what happened, in order
	lost   int      // writes that Redis has lost

	back     bool      // Redis's clock was set back
	bounced  time.Time // when Redis last went back with its scripts and another replication id; zero = never
	silently bool      // Redis went back with its scripts, and the replication id does not show it
}

type fault struct {
	kind string
	at   string // a kind of call, "" = any
	nth  int
}

// kinds of faults. The first ones hit the call itself, or the process that makes it.
var kinds = []string{
	"answer-lost", "answer-lost", "no-answer", "late", "late",
	"crash", "crash", "crash", "stop", "stop", "long-stop",
	"redis-restart", "redis-loss", "redis-loss", "redis-loss", "redis-failover", "redis-failback",
	"redis-bounce", "redis-bounce", "redis-bounce", "redis-away",
	"kafka-away", "kafka-away", "database-away", "offset-reset", "clock-step",
	"database-clock-step", "pause-sale", "junk-record", "settlements-lost",
}

// moments are kinds of calls, all equally likely to be hit: most calls of a run only poll.
var moments = []string{
	"", "", "EVALSHA", "EVALSHA", "EVALSHA", "EVAL", "produce", "produce", "settle", "settle", "XRANGE", "close-buckets",
	"begin-loads", "open-buckets", "fences-passed", "SCRIPT", "outbox", "outbox-done", "cancel", "pay", "expire",
	"report-loss", "lease", "commit-offset", "bucket-counters", "stock-counters", "change-stock", "change-stock", "put-sale",
	"freeze", "begin-thaw", "thaw", "extend",
}

func drawPlan(c *chance, n int) *plan {
	p := &plan{chance: c}
	for range n {
		f := &fault{kind: pick(c, kinds...), at: pick(c, moments...)}
		switch f.at {
		case "":
			f.nth = c.between(1, 400)
		case "EVALSHA", "produce", "settle":
			f.nth = c.between(1, 25)
		default:
			f.nth = c.between(1, 3)
		}
		p.coming = append(p.coming, f)
	}
	return p
}

// reached counts a call and causes the fault of that step, if there is one. It returns the fate of the call.
func (p *plan) reached(w *world, by *process, what string) (becomes fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.coming[:0]
	for _, f := range p.coming {
		if f.at != "" && !strings.EqualFold(f.at, what) {
			kept = append(kept, f)
			continue
		}
		if f.nth--; f.nth > 0 {
			kept = append(kept, f)
			continue
		}
		becomes = max(becomes, p.strike(w, by, f.kind, what))
		if p.chance.one(2) { // half of the faults have a second one
			kind := pick(p.chance, kinds...)
			time.AfterFunc(p.chance.span(0, 700*time.Millisecond), func() { p.second(w, by, kind) })
		}
	}
	p.coming = kept
	return becomes
}

func (p *plan) second(w *world, by *process, kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.healed.Load() {
		p.strike(w, by, kind, "soon after")
	}
}

// strikeRedis restarts Redis, loses writes, or lets another node serve, and returns how many writes are lost.
func (p *plan) strikeRedis(w *world, kind string, down time.Duration) string {
	c, n := p.chance, 0
	switch kind {
	case "redis-restart":
		w.cache.restart(0, down)
	case "redis-loss":
		n = w.cache.restart(c.span(time.Millisecond, time.Second), down)
	case "redis-failover":
		n = w.cache.failover(c.span(time.Millisecond, time.Second), down)
	case "redis-failback":
		follow := pick(c, followed, followed, promoted, neverDemoted)
		if w.cache.failback(follow, down) && follow != followed {
			p.lost++
			p.silently = p.silently || w.shape.hidden || follow == neverDemoted
			return "to its own data"
		}
	case "redis-bounce": // faster than any role checks the replication id: surplus orders are refused
		p.bounced, p.silently = time.Now(), p.silently || w.shape.hidden
		n = w.cache.failover(c.span(time.Millisecond, time.Duration(pick(c, 30, 60, 60, 200))*time.Millisecond), time.Millisecond)
		w.cache.failback(followed, time.Millisecond)
	}
	p.lost += n
	w.counter.count("redis: writes lost", n)
	return fmt.Sprint(n, " writes")
}

// strike does one fault and returns the fate of the call that it hits.
func (p *plan) strike(w *world, by *process, kind, what string) (becomes fate) {
	c := p.chance
	detail := ""
	brief, long := c.span(time.Millisecond, pick(c, 30*time.Millisecond, 300*time.Millisecond)),
		c.span(50*time.Millisecond, 6*time.Second)
	switch kind {
	case "answer-lost":
		becomes = lostReply
	case "no-answer":
		becomes = silence
	case "late":
		becomes = late
	case "crash":
		detail = by.name
		if c.one(2) {
			by.crash()
		} else {
			detail += " soon"
			time.AfterFunc(c.span(0, 3*time.Millisecond), func() { by.crash() })
		}
	case "stop":
		detail = fmt.Sprint(by.name, " for ", long)
		by.freeze(long)
	case "long-stop": // longer than any lease
		detail = by.name
		by.freeze(c.span(10*time.Second, 14*time.Second))
	case "redis-restart", "redis-loss", "redis-failover", "redis-failback", "redis-bounce":
		detail = p.strikeRedis(w, kind, brief)
	case "redis-away":
		w.cache.place.away(long, false)
	case "kafka-away":
		w.queue.place.away(long, false)
		if c.one(3) { // the only way to lose orders that were held
			time.AfterFunc(c.span(0, min(long, time.Second)), func() { p.second(w, by, "redis-loss") })
		}
	case "database-away":
		w.database.place.away(long, false)
	case "offset-reset":
		w.queue.reset(c)
	case "clock-step":
		d := c.span(-2*time.Second, 2*time.Second)
		p.back = p.back || d < 0
		detail = d.String()
		w.cache.step(d)
	case "database-clock-step":
		d := c.span(-2*time.Second, 2*time.Second)
		detail = d.String()
		w.database.step(d)
	case "settlements-lost":
		n := c.between(1, 3)
		detail = fmt.Sprint("the next ", n)
		w.database.lose(n)
	case "junk-record":
		w.queue.spoil(c)
	case "pause-sale":
		w.pause(c.span(20*time.Millisecond, time.Second))
	}
	w.counter.count("faults: "+kind, 1)
	p.struck = append(p.struck, fmt.Sprintf("%s %s (at %s of %s)", kind, detail, what, by.name))
	w.trace.add(by.name, "FAULT "+kind+" "+detail)
	return becomes
}
