package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/kafka"
	"flashsale/sale"
)

// errAway is the error of a store that cannot be reached.
var errAway = errors.New("connection refused")

// fakeLeases is the table of leases, by the clock of this process, which the tests move.
type fakeLeases struct {
	mu      sync.Mutex
	holders map[string]string
	until   map[string]time.Time
	asked   int
	away    bool
}

func newFakeLeases() *fakeLeases {
	return &fakeLeases{holders: map[string]string{}, until: map[string]time.Time{}}
}

func (l *fakeLeases) AcquireLease(_ context.Context, name, holder string, ttl time.Duration) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.away {
		return false, errAway
	}
	if l.holders[name] != "" && l.holders[name] != holder && time.Now().Before(l.until[name]) {
		return false, nil
	}
	l.holders[name], l.until[name] = holder, time.Now().Add(ttl)
	return true, nil
}

func (l *fakeLeases) ReleaseLease(_ context.Context, name, holder string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return errAway
	}
	if l.holders[name] == holder {
		delete(l.holders, name)
	}
	return nil
}

func (l *fakeLeases) holder(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holders[name]
}

// fakeOutgoing is the table of events: rows in their order, each with its orders.
type fakeOutgoing struct {
	mu      sync.Mutex
	rows    []sale.OrderEvent
	away    bool
	counted int
}

func (o *fakeOutgoing) add(events ...sale.OrderEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range events {
		e.ID = int64(len(o.rows)) + 1
		o.rows = append(o.rows, e)
	}
}

func (o *fakeOutgoing) OrderEvents(_ context.Context, maxOrders int) (page []sale.OrderEvent, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away {
		return nil, errAway
	}
	named := map[sale.OrderID]bool{}
	for _, e := range o.rows {
		for _, order := range e.Orders {
			if named[order.OrderID] || len(named) >= maxOrders {
				return page, nil
			}
			named[order.OrderID] = true
		}
		if len(e.Orders) > 0 {
			page = append(page, e)
		}
	}
	return page, nil
}

func (o *fakeOutgoing) EventsPublished(_ context.Context, ids []int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away {
		return errAway
	}
	for _, id := range ids {
		o.rows[id-1].Orders = nil
	}
	return nil
}

func (o *fakeOutgoing) CountWaiting(context.Context) (outbox, events int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counted++
	if o.away {
		return 0, 0, errAway
	}
	return 7, o.waitingLocked(), nil
}

func (o *fakeOutgoing) waitingLocked() (n int64) {
	for _, e := range o.rows {
		if len(e.Orders) > 0 {
			n++
		}
	}
	return n
}

func (o *fakeOutgoing) waiting() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waitingLocked()
}

func (o *fakeOutgoing) setAway(away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = away
}

// fakeEvents is the events topic and the connections to it.
type fakeEvents struct {
	mu       sync.Mutex
	ids      []string // of the messages, in the order in which the topic has them
	opened   int
	closed   int
	failures []error // of the next calls: nil is a success
	partly   bool    // a failing call has appended its first half
	silent   bool    // calls hang until the gate is closed
	gate     chan struct{}
}

func (f *fakeEvents) open() (sender, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	return &fakeSender{topic: f}, nil
}

func (f *fakeEvents) has() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.ids...)
}

func (f *fakeEvents) senders() (opened, closed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened, f.closed
}

// fakeSender is one connection to the topic.
type fakeSender struct{ topic *fakeEvents }

func (s *fakeSender) Send(records []kafka.Record) error {
	f := s.topic
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.silent {
		f.mu.Unlock()
		<-f.gate
		f.mu.Lock()
	}
	var err error
	if len(f.failures) > 0 {
		err, f.failures = f.failures[0], f.failures[1:]
	}
	for i, r := range records {
		if err != nil && (!f.partly || i >= len(records)/2) {
			return err
		}
		f.ids = append(f.ids, string(r.Key)+":"+fieldOf(r, "type"))
	}
	return err
}

func (s *fakeSender) Close() error {
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	s.topic.closed++
	return nil
}

// order returns an order that has reached a status.
func order(id int64, status sale.OrderStatus) sale.Order {
	return sale.Order{
		OrderID: sale.OrderID(id), Status: status, Sale: "demo", SKU: "phone", Quantity: 1, UnitPriceCents: 129900,
		Currency: "CNY", BuyerID: fmt.Sprintf("buyer-%d", id),
		CreatedAt: sale.TimeMillis(1_800_000_000_000), UpdatedAt: sale.TimeMillis(1_800_000_001_000 + id),
	}
}

// eventOf returns an event about orders that have reached one status.
func eventOf(status sale.OrderStatus, ids ...int64) sale.OrderEvent {
	var e sale.OrderEvent
	for _, id := range ids {
		e.Orders = append(e.Orders, order(id, status))
	}
	return e
}

// newFakePublisher returns a publisher on fakes.
func newFakePublisher(t testing.TB, holder string, leases *fakeLeases, out *fakeOutgoing, topic *fakeEvents) *Publisher {
	t.Helper()
	p, err := NewPublisher(PublisherOptions{
		Kafka: kafka.Options{Brokers: []string{"127.0.0.1:1"}}, Namespace: "shop", Outgoing: out, Leases: leases, Owner: holder,
		Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	p.topic.open = topic.open
	return p
}
