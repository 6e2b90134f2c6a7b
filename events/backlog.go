package events

import (
	"context"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// backlog counts the rows of the database that wait for Redis and for the events topic. It is a prometheus.Collector
// that reports only while this process owns the lease of events, so that a sum over the processes is right.
type backlog struct {
	outbox, events *prometheus.Desc
	mu             sync.Mutex
	owned          bool
	known          bool
	waitingOutbox  int64
	waitingEvents  int64
}

func newBacklog() *backlog {
	return &backlog{
		outbox: prometheus.NewDesc("flashsale_outbox_waiting_rows",
			"Releases and credits that the database has decided and Redis has not applied yet.", nil, nil),
		events: prometheus.NewDesc("flashsale_events_waiting_rows",
			"Rows of events that the events topic has not acknowledged yet.", nil, nil),
	}
}

// setOwned records whether this process owns the lease of events.
func (b *backlog) setOwned(owned bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owned = owned
	b.known = b.known && owned
}

func (b *backlog) isOwned() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.owned
}

// read counts the rows if this process owns the lease.
func (b *backlog) read(ctx context.Context, from Outgoing) error {
	if !b.isOwned() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	outbox, events, err := from.CountWaiting(ctx)
	if err != nil {
		return fmt.Errorf("count waiting rows: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known, b.waitingOutbox, b.waitingEvents = b.owned, outbox, events
	return nil
}

// Describe is part of prometheus.Collector.
func (b *backlog) Describe(out chan<- *prometheus.Desc) {
	out <- b.outbox
	out <- b.events
}

// Collect is part of prometheus.Collector.
func (b *backlog) Collect(out chan<- prometheus.Metric) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known {
		return
	}
	out <- prometheus.MustNewConstMetric(b.outbox, prometheus.GaugeValue, float64(b.waitingOutbox))
	out <- prometheus.MustNewConstMetric(b.events, prometheus.GaugeValue, float64(b.waitingEvents))
}

// Waiting returns the rows that wait for Redis and those that wait for the events topic, by the last count. known is false
// while another process counts them.
func (p *Publisher) Waiting() (outbox, events int64, known bool) {
	b := p.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waitingOutbox, b.waitingEvents, b.known
}
