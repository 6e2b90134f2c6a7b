package settle

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// beginWithin is how long Kafka alone may keep a session from beginning before its clients are rebuilt: longer than a
	// rebalance that waits for every member.
	beginWithin = 15 * time.Second
	// stalledAfter is how long settlement may stand before readiness says so.
	stalledAfter = 10 * time.Second
	// silentAfter is how long Kafka may leave the watcher's questions, one each second, unanswered.
	silentAfter = 3 * time.Second
)

// progress knows whether settlement of this process goes on: since when it has stood, and why. It is a prometheus.Collector.
type progress struct {
	stalled *prometheus.Desc
	lag     *lag

	mu      sync.Mutex
	session bool      // whether one is under way
	ended   time.Time // when the last one ended; before the first, when this process began
	tried   time.Time // since when Kafka alone has kept the next one from beginning; zero while something else does
	heard   time.Time // when Kafka answered last, during a session
	trouble string    // what failed last, until something is settled
	unread  map[int32]unread
}

// unread is a partition whose offsets Kafka does not tell.
type unread struct {
	since time.Time
	why   string
}

func newProgress(l *lag) *progress {
	return &progress{
		lag: l, ended: time.Now(), unread: map[int32]unread{},
		stalled: prometheus.NewDesc("flashsale_settle_stalled_seconds",
			"Time for which this process has not settled although it should: outside a session, with records that wait, "+
				"or without an answer of Kafka. 0 while it goes on.", nil, nil),
	}
}

// starts notes that settling begins: what was waited for before is not its standstill.
func (p *progress) starts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = time.Now()
}

// joins notes that Kafka alone keeps the next session from beginning, from now on.
func (p *progress) joins() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.session {
		p.tried = time.Now()
	}
}

// pauses notes that something else does, until joins is called.
func (p *progress) pauses() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = time.Time{}
}

// begins notes that a session is under way.
func (p *progress) begins() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session, p.tried, p.heard = true, time.Time{}, time.Now()
}

// hears notes that Kafka answers.
func (p *progress) hears() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = time.Now()
}

// ends notes the end of a session, or of an attempt to begin one.
func (p *progress) ends() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.unread)
	if p.session {
		p.session, p.ended, p.tried = false, time.Now(), time.Now()
	}
}

// settled notes that something reached its end.
func (p *progress) settled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = ""
}

// failed notes what keeps settlement from going on.
func (p *progress) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = err.Error()
}

// unreadable notes that Kafka does not tell the offsets of a partition.
func (p *progress) unreadable(partition int32, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := time.Now()
	if before, known := p.unread[partition]; known {
		since = before.since
	}
	p.unread[partition] = unread{since, why.Error()}
}

// readable notes that it does.
func (p *progress) readable(partition int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unread, partition)
}

// stuck reports whether Kafka has kept a session from beginning for too long.
func (p *progress) stuck() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.tried.IsZero() && time.Since(p.tried) > beginWithin
}

// standing returns for how long settlement has stood; 0 while it goes on.
func (p *progress) standing() time.Duration {
	waiting := p.lag.standing()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.session {
		return max(waiting, time.Since(p.ended))
	}
	for _, u := range p.unread {
		waiting = max(waiting, time.Since(u.since))
	}
	if silent := time.Since(p.heard); silent > silentAfter {
		waiting = max(waiting, silent)
	}
	return waiting
}

// checks returns what readiness has to say, by the name of the check.
func (p *progress) checks() map[string]string {
	standing := p.standing()
	p.mu.Lock()
	defer p.mu.Unlock()
	found := map[string]string{}
	if standing > stalledAfter {
		found["settle"] = fmt.Sprintf("stands still for %s", standing.Round(time.Second))
		if p.trouble != "" {
			found["settle"] += ": " + p.trouble
		}
	}
	for partition, u := range p.unread {
		found[fmt.Sprintf("partition_%d", partition)] = "is not settled: " + u.why
	}
	return found
}

// Describe is part of prometheus.Collector.
func (p *progress) Describe(out chan<- *prometheus.Desc) { out <- p.stalled }

// Collect is part of prometheus.Collector.
func (p *progress) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(p.stalled, prometheus.GaugeValue, p.standing().Seconds())
}
