package pulse

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"flashsale/sale"
)

const (
	stepLength = 5 * time.Second
	stepCount  = 180 // 15 minutes

	// freshFor is the age up to which the last pulse of a process counts for the present rates: two missed pulses.
	freshFor = 3 * time.Second
	// recentPulses of a process are kept: their span is that of the present latency.
	recentPulses = 6
)

// Recorder keeps what the pulses of all processes said: the last pulses of each, and the last 15 minutes in steps of 5 s. Its
// clock is that of the pulses. Its memory is bounded by the number of processes, and by sale.MaxPulseSales sales of each gateway.
type Recorder struct {
	mu        sync.Mutex
	began     time.Time // the first moment that it knows of
	now       time.Time
	processes map[string]*process
	steps     [stepCount]step
}

// process is what is known of one process.
type process struct {
	recent []sale.Pulse // the oldest first, at least one
	base   sale.Pulse   // the last one of the last step
}

func (p *process) last() *sale.Pulse { return &p.recent[len(p.recent)-1] }

// NewRecorder returns a Recorder that knows of no process.
func NewRecorder() *Recorder { return &Recorder{processes: map[string]*process{}} }

// advance moves the clock, and closes the step that has ended. A clock that went back, or far ahead, was set: the steps begin
// anew.
func (r *Recorder) advance(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.now
	if before.IsZero() || now.Before(before) || now.Sub(before) > stepCount*stepLength {
		r.began, r.now, r.steps = now, now, [stepCount]step{}
		for _, p := range r.processes {
			p.recent, p.base = p.recent[len(p.recent)-1:], *p.last()
		}
		return
	}
	r.now = now
	if ended := indexOf(before); ended != indexOf(now) {
		r.steps[ended%stepCount] = r.close(ended)
	}
}

// indexOf returns the number of the step that a time is in.
func indexOf(at time.Time) int64 { return at.UnixMilli() / stepLength.Milliseconds() }

// hear takes a pulse. It ignores one that it has heard.
func (r *Recorder) hear(p sale.Pulse) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.processes[p.Name()]
	if known == nil {
		base := p
		if p.Started.After(r.began) { // all that it has counted, it has counted since: in this step, where it began in it
			base = sale.Pulse{At: p.Started, Gateway: &sale.GatewayPulse{}, Settle: &sale.SettlePulse{}}
			if begun := sale.TimeMillis(indexOf(r.now) * stepLength.Milliseconds()); begun.Before(base.At.Time) {
				base.At = begun
			}
		}
		r.processes[p.Name()] = &process{recent: []sale.Pulse{p}, base: base}
		return
	}
	if !p.At.After(known.last().At.Time) {
		return
	}
	if len(known.recent) == recentPulses {
		known.recent = slices.Delete(known.recent, 0, 1)
	}
	known.recent = append(known.recent, p)
}

// keepOnly forgets the processes that have no pulse any more, except the own one.
func (r *Recorder) keepOnly(own string, present map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.processes, func(name string, _ *process) bool {
		_, there := present[name]
		return !there && name != own
	})
}

// fresh reports whether a process gave its last pulse a moment ago.
func (r *Recorder) fresh(p *process) bool { return r.now.Sub(p.last().At.Time) <= freshFor }

// Processes returns the processes that have a pulse, gateways first, by name.
func (r *Recorder) Processes() []sale.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]sale.Process, 0, len(r.processes))
	for _, p := range r.processes {
		last := p.last()
		waiting := last.Waiting
		if waiting == nil {
			waiting = map[string]string{}
		}
		all = append(all, sale.Process{
			Name: last.Process, Role: last.Role, Version: last.Version, Ready: len(waiting) == 0, Waiting: waiting,
			SeenMSAgo: max(0, r.now.Sub(last.At.Time).Milliseconds()),
		})
	}
	slices.SortFunc(all, func(a, b sale.Process) int { return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Name, b.Name)) })
	return all
}
