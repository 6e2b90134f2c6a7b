package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"flashsale/test/chaos/check"
)

// nemesis chooses and does the faults of a run.
type nemesis struct {
	w      *world
	random *rand.Rand
	log    []struck
}

// struck is one fault that was done.
type struck struct {
	fault
	told  string
	span  check.Span
	round int
	with  string // the kind that was in force at the same time, empty for a fault alone
}

// How the faults follow each other. The pauses are short: a fault while the engine still mends the last one is what
// finds the holes.
const (
	shortestHold = 50 * time.Millisecond
	longestHold  = 2500 * time.Millisecond
	longHold     = 7 * time.Second // one in ten: longer than any single wait of the engine
	longestGap   = 1500 * time.Millisecond
	pairsOneIn   = 4
	recoveryUS   = 2_000_000 // what the checkers give the engine after a fault was healed
)

// strike does one fault, or a pair, and heals it.
func (n *nemesis) strike(round int) {
	first := n.choose("")
	if n.random.IntN(pairsOneIn) > 0 {
		n.one(round, first, "", n.hold)
		return
	}
	second := n.choose(first.part)
	n.one(round, first, second.kind, func() {
		n.wait(n.between(0, 500*time.Millisecond))
		n.one(round, second, first.kind, n.hold)
		n.wait(n.between(0, 500*time.Millisecond))
	})
}

// one does a fault, lets during pass, and heals it.
func (n *nemesis) one(round int, f fault, with string, during func()) {
	from := time.Now().UnixMicro()
	heal, told := f.begin(n)
	begun := time.Now()
	during()
	heal()
	n.log = append(n.log, struck{fault: f, told: told, round: round, with: with,
		span: check.Span{FromUS: from, ToUS: time.Now().UnixMicro()}})
	n.w.t.Logf("%s %s %s (begun in %s, healed after %s)%s", time.Now().UTC().Format("15:04:05.000"), f.kind, told,
		time.Duration(begun.UnixMicro()-from)*time.Microsecond, time.Since(begun).Round(time.Millisecond), within(with))
}

func within(with string) string {
	if with == "" {
		return ""
	}
	return fmt.Sprintf(", together with: %s", with)
}

// choose draws a kind whose part is not taken.
func (n *nemesis) choose(taken string) fault {
	total := 0
	for _, f := range faults {
		total += f.weight
	}
	for {
		at := n.random.IntN(total)
		for _, f := range faults {
			if at -= f.weight; at < 0 {
				if f.part != taken && (n.w.only == "" || n.w.only == f.kind) {
					return f
				}
				break
			}
		}
	}
}

func (n *nemesis) hold() {
	if n.random.IntN(10) == 0 {
		n.wait(longHold)
		return
	}
	n.wait(n.between(shortestHold, longestHold))
}

func (n *nemesis) between(low, high time.Duration) time.Duration {
	return (low + time.Duration(n.random.Int64N(int64(high-low)))).Round(time.Millisecond)
}

func (n *nemesis) wait(d time.Duration) { <-time.After(d) }

// spans returns when something was broken, and when Redis may have lost writes, in one round.
func (n *nemesis) spans(round int) (outages, losses []check.Span) {
	for _, s := range n.log {
		if s.round != round {
			continue
		}
		outages = append(outages, check.Span{FromUS: s.span.FromUS, ToUS: s.span.ToUS + recoveryUS})
		if s.loses {
			losses = append(losses, s.span)
		}
	}
	return outages, losses
}
