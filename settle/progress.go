package settle

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// beginWithin is how long Kafka alone may delay a session before its clients are rebuilt: longer than a rebalance
	// that waits for every member.
	beginWithin = 15 * time.Second
	// stalledAfter is how long settlement may stall before readiness reports it.
	stalledAfter = 10 * time.Second
	// silentAfter is how long Kafka may leave the watcher's requests, one each second, unanswered.
	silentAfter = 3 * time.Second
)

// progress tracks whether this process's settlement progresses: since when it has stalled, and why. It is a
// prometheus.Collector.
type progress struct {
	stalled *prometheus.Desc
	lag     *lag

	mu       sync.Mutex
	session  bool      // whether a session runs
	ended    time.Time // when the last session ended; before the first one, when this process began
	tried    time.Time // since when Kafka alone has delayed the next session; zero while another cause delays it
	answered time.Time // when Kafka answered last, during a session
	trouble  string    // the last failure, until something is settled
	unread   map[int32]unread
}

// unread is a partition whose offsets Kafka does not return.
type unread struct {
	since time.Time
	why   string
}

func newProgress(l *lag) *progress {
	return &progress{
		lag: l, ended: time.Now(), unread: map[int32]unread{},
		stalled: prometheus.NewDesc("flashsale_settle_stalled_seconds",
			"Time for which this process has not settled although it should: outside a session, with unsettled records, "+
				"or without an answer of Kafka. 0 while it progresses.", nil, nil),
	}
}

// start records that settling begins: the time before it does not count as a stall.
func (p *progress) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = time.Now()
}

// waitForKafka records that from now on Kafka alone delays the next session.
func (p *progress) waitForKafka() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.session {
		p.tried = time.Now()
	}
}

// stopWaitingForKafka records that another cause delays it, until waitForKafka is called.
func (p *progress) stopWaitingForKafka() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = time.Time{}
}

// sessionBegan records that a session runs.
func (p *progress) sessionBegan() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session, p.tried, p.answered = true, time.Time{}, time.Now()
}

// kafkaAnswered records that Kafka answers.
func (p *progress) kafkaAnswered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = time.Now()
}

// sessionEnded records the end of a session, or of an attempt to begin one.
func (p *progress) sessionEnded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.unread)
	if p.session {
		p.session, p.ended, p.tried = false, time.Now(), time.Now()
	}
}

// settled records that a record reached its end.
func (p *progress) settled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = ""
}

// failed records the failure that stops settlement.
func (p *progress) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = err.Error()
}

// unreadable records that Kafka returns no offsets of a partition.
func (p *progress) unreadable(partition int32, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := time.Now()
	if before, known := p.unread[partition]; known {
		since = before.since
	}
	p.unread[partition] = unread{since, why.Error()}
}

// readable records that Kafka returns them.
func (p *progress) readable(partition int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unread, partition)
}

// stuck reports whether Kafka has delayed a session for too long.
func (p *progress) stuck() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.tried.IsZero() && time.Since(p.tried) > beginWithin
}

// stalledFor returns how long settlement has stalled; 0 while it progresses.
func (p *progress) stalledFor() time.Duration {
	waiting := p.lag.stalledFor()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.session {
		return max(waiting, time.Since(p.ended))
	}
	for _, u := range p.unread {
		waiting = max(waiting, time.Since(u.since))
	}
	if silent := time.Since(p.answered); silent > silentAfter {
		waiting = max(waiting, silent)
	}
	return waiting
}

// checks returns what readiness reports, by the name of the check.
func (p *progress) checks() map[string]string {
	stalled := p.stalledFor()
	p.mu.Lock()
	defer p.mu.Unlock()
	found := map[string]string{}
	if stalled > stalledAfter {
		found["settle"] = fmt.Sprintf("has stalled for %s", stalled.Round(time.Second))
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
	out <- prometheus.MustNewConstMetric(p.stalled, prometheus.GaugeValue, p.stalledFor().Seconds())
}
