package settle

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/faults"
	"flashsale/sale"
)

// Outgoing is the database as telling the shop needs it.
type Outgoing interface {
	// OrderEvents returns the events that come next, in the order of their commits, with the orders as they were at that
	// moment; no order stands in a page twice. maxOrders bounds the orders of the page, its first event apart.
	OrderEvents(ctx context.Context, maxOrders int) ([]sale.OrderEvent, error)
	// EventsPublished forgets events that the topic has.
	EventsPublished(ctx context.Context, ids []int64) error
	// CountWaiting returns the rows that wait for Redis, and those that wait for the events topic.
	CountWaiting(ctx context.Context) (outbox, events int64, err error)
}

// Bounds of the publisher.
const (
	publishOrders = 2000 // in one page: a megabyte or so
	publishEvery  = 100 * time.Millisecond
	// publishPressed is between two pages while rows wait to be settled: rows go first, but events are never told slower
	// than a page of publishOrders each time.
	publishPressed = 500 * time.Millisecond
	countEvery     = time.Second
	countTimeout   = 5 * time.Second
)

// PublisherOptions are the parts of a Publisher.
type PublisherOptions struct {
	Kafka      KafkaOptions
	Namespace  string
	Outgoing   Outgoing
	Leases     Leases
	Holder     string
	Registerer prometheus.Registerer
	Log        *slog.Logger
	Refused    func(error) // hears of pages that Kafka did not take; nil: nobody
	Pressed    func() bool // whether order rows wait, to which events give way; nil: never
}

// Publisher tells the events topic what happened to orders: at least once, and each order's events in their order. One
// process at a time does it. A page of events is sent, then acknowledged to the last, then forgotten; whatever fails on
// the way, the same page is sent again, and the next one waits. A holder that was paused for longer than its lease can
// repeat an event after later ones of the order; its id says that it is a repetition.
type Publisher struct {
	PublisherOptions
	topic     *eventTopic
	published prometheus.Counter
	backlog   *backlog
	paged     time.Time // when the last page was read
}

// NewPublisher checks the options and registers the metrics; it does not need Kafka to be up.
func NewPublisher(o PublisherOptions) (*Publisher, error) {
	config, err := o.Kafka.config()
	if err != nil {
		return nil, err
	}
	p := &Publisher{
		PublisherOptions: o, backlog: newBacklog(),
		topic: &eventTopic{open: func() (eventWriter, error) {
			return openEventSender(o.Kafka.Brokers, promptConfig(config), TopicsOf(o.Namespace).Events)
		}},
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flashsale_events_published_total",
			Help: "Events that the events topic has acknowledged, repeated ones included.",
		}),
	}
	for _, c := range []prometheus.Collector{p.published, p.backlog} {
		if err := o.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of events: %w", err)
		}
	}
	return p, nil
}

// Run publishes until ctx ends.
func (p *Publisher) Run(ctx context.Context) {
	var counting sync.WaitGroup
	counting.Go(func() { p.count(ctx) })
	publishing := duty{
		name: "events", what: "events could not be published and wait", every: publishEvery, unit: p.page,
	}
	publishing.run(ctx, p.Leases, p.Holder, p.Log, p.backlog.answer)
	counting.Wait()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := p.topic.close(closing); err != nil {
		p.Log.Warn("closing the producer of events failed", "error", err)
	}
}

// page is one unit of work: read, send, forget. Under pressure it is put off.
func (p *Publisher) page(ctx context.Context) (more bool, err error) {
	if p.Pressed != nil && p.Pressed() && time.Since(p.paged) < publishPressed {
		return false, nil
	}
	p.paged = time.Now()
	events, err := p.Outgoing.OrderEvents(ctx, publishOrders)
	if err != nil {
		return false, fmt.Errorf("read events: %w", err)
	}
	if len(events) == 0 {
		return false, nil
	}
	if err := p.send(ctx, events); err != nil {
		return false, err
	}
	faults.Point("events.page-acknowledged")
	ids := make([]int64, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	if err := p.Outgoing.EventsPublished(ctx, ids); err != nil {
		return false, fmt.Errorf("forget %d published events: %w", len(ids), err)
	}
	faults.Point("events.page-forgotten")
	return true, nil
}

// send returns nil when every replica has every event of the page.
func (p *Publisher) send(ctx context.Context, events []sale.OrderEvent) error {
	page := newPageOfEvents(p.Namespace, events)
	if err := p.topic.publish(ctx, page.records); err != nil {
		orNobody(p.Refused)(err)
		return err
	}
	p.published.Add(float64(len(page.records)))
	return nil
}

// count reads the backlog once a second while this process has the lease.
func (p *Publisher) count(ctx context.Context) {
	complained := time.Time{}
	for ctx.Err() == nil {
		if err := p.backlog.read(ctx, p.Outgoing); err != nil && ctx.Err() == nil && time.Since(complained) > faultInterval {
			complained = time.Now()
			p.Log.Warn("the rows that wait could not be counted", "error", err)
		}
		sleep(ctx, countEvery)
	}
}
