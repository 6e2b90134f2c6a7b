package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"flashsale/test/check"
)

// goal is how much a run has to do; both must be reached.
type goal struct{ faults, kills int }

// nemesis does the faults of a run. Its hands work at the same time, each on parts of its own, so that faults meet in
// pairs and more, and never undo each other.
type nemesis struct {
	w    *world
	goal goal
	only string // the kinds of faults to do begin with this
	long bool   // whether stores are paused for the longest times

	mu  sync.Mutex
	log []struck
}

// struck is one fault that was done.
type struck struct {
	fault
	deed
	span  check.Span // from before it began until it was healed
	round int
	again time.Duration // from then until something was sold again
	sold  bool          // something was
}

// deed is a fault that was done: how to heal it, its text in the log, and the gateway that it hit, -1 for none.
type deed struct {
	heal    func()
	text    string
	gateway int
}

// Times between the faults. The pauses are short, because most mistakes show when a fault hits an engine that still
// recovers from the last one.
const (
	shortestHold  = 20 * time.Millisecond
	longestHold   = 1500 * time.Millisecond
	longHoldOneIn = 24
	noticed       = 400 * time.Millisecond // by then a loss has been noticed
	reopenWithin  = 15 * time.Second
	recoveryUS    = 2_000_000 // the time that the checkers allow the engine after a fault was healed
)

// possible returns nil when the run can reach its goal.
func (n *nemesis) possible() error {
	kinds, killers := 0, 0
	for _, l := range lanes {
		for _, f := range l.faults {
			if n.wants(f) {
				kinds, killers = kinds+1, killers+f.kills
			}
		}
	}
	for _, kind := range standing() {
		if strings.HasPrefix(kind, n.only) {
			kinds++
		}
	}
	if kinds == 0 {
		return fmt.Errorf("no kind of fault begins with %q", n.only)
	}
	if killers == 0 {
		n.goal.kills = 0
	}
	return nil
}

func (n *nemesis) wants(f fault) bool { return strings.HasPrefix(f.kind, n.only) }

// reached reports whether the run has reached its goal.
func (n *nemesis) reached() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.log) >= n.goal.faults && kills(n.log) >= n.goal.kills
}

func kills(log []struck) (sum int) {
	for _, s := range log {
		sum += s.kills
	}
	return sum
}

// note adds a fault that was healed.
func (n *nemesis) note(s struck) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.log = append(n.log, s)
}

// of returns the faults of one round.
func (n *nemesis) of(round int) []struck {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.log), func(s struck) bool { return s.round != round })
}

// rage does faults with all hands until a moment, and returns when all are healed. A hand that cannot heal its fault ends
// the run.
func (n *nemesis) rage(round int, seed uint64, until time.Time) {
	var all sync.WaitGroup
	done := make([]bool, len(lanes))
	for i, l := range lanes {
		h := &hand{nemesis: n, lane: l, random: rand.New(rand.NewPCG(seed, uint64(i)))}
		if h.weights() == 0 {
			done[i] = true
			continue
		}
		all.Go(func() {
			h.work(round, until)
			done[i] = true
		})
	}
	all.Wait()
	if slices.Contains(done, false) {
		n.w.t.FailNow() // the faults are logged
	}
}

// hand does the faults of one lane, one after the other.
type hand struct {
	*nemesis
	lane   lane
	random *rand.Rand
}

func (h *hand) work(round int, until time.Time) {
	for {
		h.wait(h.between(0, 2*h.lane.gap))
		if time.Now().After(until) || h.reached() {
			return
		}
		h.strike(round)
		if h.lane.closes && h.random.IntN(3) > 0 {
			h.wait(noticed)
			h.w.reopened(reopenWithin)
		}
	}
}

// strike does one fault, lets it last, and heals it.
func (h *hand) strike(round int) {
	f := h.choose()
	from := time.Now()
	d := f.begin(h)
	begun := time.Now()
	h.wait(h.hold())
	d.heal()
	healed := time.Now()
	h.note(struck{fault: f, deed: d, round: round, span: check.Span{FromUS: from.UnixMicro(), ToUS: healed.UnixMicro()}})
	h.w.t.Logf("%s %s %s (begun in %s, healed after %s)", from.UTC().Format("15:04:05.000"), f.kind, d.text,
		begun.Sub(from).Round(time.Millisecond), healed.Sub(begun).Round(time.Millisecond))
}

func (h *hand) weights() (sum int) {
	for _, f := range h.lane.faults {
		sum += h.weight(f)
	}
	return sum
}

func (h *hand) weight(f fault) int {
	if h.wants(f) {
		return f.weight
	}
	return 0
}

// choose draws a kind.
func (h *hand) choose() fault {
	at := h.random.IntN(h.weights())
	for _, f := range h.lane.faults {
		if at -= h.weight(f); at < 0 {
			return f
		}
	}
	panic("the weights of a lane do not add up")
}

func (h *hand) hold() time.Duration {
	if h.random.IntN(longHoldOneIn) > 0 {
		return h.between(shortestHold, longestHold)
	}
	if h.long && h.lane.store {
		return pick(h.random, holds())
	}
	return slices.Min(holds())
}

func (h *hand) between(low, high time.Duration) time.Duration {
	return (low + time.Duration(h.random.Int64N(int64(high-low)))).Round(time.Millisecond)
}

func (h *hand) wait(d time.Duration) { <-time.After(d) }

// spans returns when something was broken, and when Redis may have lost writes.
func spans(log []struck, epochs []check.EpochSeen) (outages, losses []check.Span) {
	for _, s := range log {
		outages = append(outages, check.Span{FromUS: s.span.FromUS, ToUS: s.span.ToUS + recoveryUS})
		if s.loses {
			losses = append(losses, check.Span{FromUS: s.span.FromUS, ToUS: max(s.span.ToUS, nextEpochs(epochs, s.span.ToUS))})
		}
	}
	return outages, losses
}

// fencedWithin bounds how long a Redis that went back may take calls of the epoch that it went back to.
const fencedWithinUS = 15_000_000

// nextEpochs returns when the last bucket began a further epoch after a moment. Until a rebuild reaches it, a Redis that
// went back to an earlier epoch takes calls that were sent in that epoch or by a gateway with an old catalogue: those
// orders are lost with the writes, or refused.
func nextEpochs(epochs []check.EpochSeen, moment int64) (last int64) {
	next := map[string]int64{}
	for _, s := range epochs {
		name := fmt.Sprintf("%s/%d", s.Sale, s.Bucket)
		if s.AtUS > moment && s.AtUS < moment+fencedWithinUS && (next[name] == 0 || s.AtUS < next[name]) {
			next[name] = s.AtUS
		}
	}
	for _, at := range next {
		last = max(last, at)
	}
	return last
}

// together counts the faults that were in force while another of their round was.
func together(log []struck) (count int) {
	for i, a := range log {
		if slices.ContainsFunc(slices.Concat(log[:i], log[i+1:]), func(b struck) bool {
			return a.round == b.round && a.span.Hits(b.span.FromUS, b.span.ToUS)
		}) {
			count++
		}
	}
	return count
}
