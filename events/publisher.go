package events

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/faults"
	"flashsale/kafka"
	"flashsale/lease"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/tracing"
)

// Outgoing is the part of the database that publishing needs.
type Outgoing interface {
	// OrderEvents returns the next events, in the order of their commits, with the orders as they were at that moment. A
	// page has no order twice. maxOrders bounds the orders of the page, except those of its first event.
	OrderEvents(ctx context.Context, maxOrders int) ([]sale.OrderEvent, error)
	// EventsPublished deletes events that the topic has.
	EventsPublished(ctx context.Context, ids []int64) error
	// CountWaiting returns the rows that wait for Redis, and those that wait for the events topic.
	CountWaiting(ctx context.Context) (outbox, events int64, err error)
}

// Bounds of the publisher.
const (
	publishOrders = 2000 // in one page: about a megabyte
	publishEvery  = 100 * time.Millisecond
	// publishPressed is the pause between two pages while rows wait to be settled: rows go first, but the publisher
	// never sends slower than a page of publishOrders each time.
	publishPressed = 500 * time.Millisecond
	countEvery     = time.Second
	countTimeout   = 5 * time.Second
	// pageTimeout bounds a page; a page that hangs is cancelled and repeated.
	pageTimeout = 6 * time.Second
	// drainTimeout bounds the running page when the process is told to end, and the end of the connection.
	drainTimeout = 5 * time.Second
)

// PublisherOptions are the parts of a Publisher.
type PublisherOptions struct {
	Kafka      kafka.Options
	Namespace  string
	Outgoing   Outgoing
	Leases     lease.Leases
	Owner      string // names this process in the lease
	Registerer prometheus.Registerer
	Log        *slog.Logger
	Refused    func(error)     // called with the error of each page that Kafka refused; may be nil
	Pressed    func() bool     // whether order rows wait, to which events give way; nil: never
	Tracer     *tracing.Tracer // nil: no spans
}

// Publisher sends the events of orders to the events topic: at least once, and each order's events in their order. One
// process at a time runs it. It sends a page, waits until every replica has all of it, then deletes its rows; when a
// step fails it sends the same page again before the next one. A process that was suspended for longer than its lease
// can repeat an event after later events of the order; the id of the event shows the repetition.
type Publisher struct {
	PublisherOptions
	topic     *topic
	published prometheus.Counter
	backlog   *backlog
	paged     time.Time // when the last page was read
}

// NewPublisher checks the options and registers the metrics; Kafka need not be up.
func NewPublisher(o PublisherOptions) (*Publisher, error) {
	if _, err := o.Kafka.Config(); err != nil {
		return nil, err
	}
	if o.Refused == nil {
		o.Refused = func(error) {}
	}
	if o.Pressed == nil {
		o.Pressed = func() bool { return false }
	}
	p := &Publisher{
		PublisherOptions: o, backlog: newBacklog(),
		topic: &topic{open: func() (sender, error) {
			return kafka.OpenSender(o.Kafka, kafka.TopicsOf(o.Namespace).Events)
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
	more := false
	own := &lease.Lease{Leases: p.Leases, Name: lease.Events, Owner: p.Owner, Log: p.Log, Owned: p.backlog.setOwned}
	own.Serve(ctx, role.Loop{
		Name: "events", Failing: "events could not be published and will be repeated", Log: p.Log,
		Unit: func(ctx context.Context) (err error) { more, err = p.page(ctx); return err },
		Rest: func(time.Duration) time.Duration {
			if more {
				return 0
			}
			return publishEvery
		},
		Retry: role.Backoff, Limit: pageTimeout, Linger: drainTimeout,
	})
	counting.Wait()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := p.topic.close(closing); err != nil {
		p.Log.Warn("closing the producer of events failed", "error", err)
	}
}

// page is one unit of work: read, send, delete. It does nothing while rows wait to be settled, except every publishPressed.
func (p *Publisher) page(ctx context.Context) (more bool, err error) {
	if p.Pressed() && time.Since(p.paged) < publishPressed {
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
	ctx, span := p.Tracer.Unit(ctx, "events")
	span.Number("flashsale.events", int64(len(events)))
	err = p.pass(ctx, events)
	span.FailWith(err)
	span.End()
	return err == nil, err
}

// pass sends a page and then deletes its rows.
func (p *Publisher) pass(ctx context.Context, events []sale.OrderEvent) error {
	if err := p.send(ctx, events); err != nil {
		return err
	}
	faults.Point("events.page-acknowledged")
	ids := make([]int64, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	if err := p.Outgoing.EventsPublished(ctx, ids); err != nil {
		return fmt.Errorf("forget %d published events: %w", len(ids), err)
	}
	faults.Point("events.page-forgotten")
	return nil
}

// send returns nil when every replica has every event of the page.
func (p *Publisher) send(ctx context.Context, events []sale.OrderEvent) error {
	page := newPageOfEvents(p.Namespace, events)
	if err := p.topic.publish(ctx, page.records); err != nil {
		p.Refused(err)
		return err
	}
	p.published.Add(float64(len(page.records)))
	return nil
}

// count reads the backlog once a second while this process has the lease.
func (p *Publisher) count(ctx context.Context) {
	counting := role.Loop{
		Name: "backlog", Failing: "the waiting rows could not be counted", Log: p.Log, Every: countEvery,
		Unit: func(ctx context.Context) error { return p.backlog.read(ctx, p.Outgoing) },
	}
	counting.Run(ctx)
}
