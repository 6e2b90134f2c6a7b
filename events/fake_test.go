package events

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/kafka"
	"flashsale/lease"
	"flashsale/sale"
	"flashsale/test/memory"
)

// errAway is the error of a store that cannot be reached.
var errAway = errors.New("connection refused")

// database is the database in memory with events that wait, and rows of the outbox beside them.
type database struct{ *memory.Database }

const outboxRows = 7 // that wait in the database

func newDatabase() database {
	d := database{memory.New(memory.Options{})}
	for number := range outboxRows {
		d.SeedOutbox(sale.OutboxRow{Bucket: sale.Bucket{Sale: "demo"}, Number: int64(number + 1)})
	}
	return d
}

func (d database) add(events ...sale.OrderEvent) {
	for _, e := range events {
		d.SeedEvent(e.Orders...)
	}
}

// waiting counts the events that wait.
func (d database) waiting() int { return len(d.Snapshot().Events) }

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
		OrderID: sale.OrderID(id), Status: status, Sale: "demo", Currency: "CNY", BuyerID: fmt.Sprintf("buyer-%d", id),
		Lines:     []sale.Line{{SKU: "phone", Quantity: 1, UnitPriceCents: 129900}},
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
func newFakePublisher(t testing.TB, holder string, leases lease.Leases, out Outgoing, topic *fakeEvents) *Publisher {
	t.Helper()
	p, err := NewPublisher(PublisherOptions{
		Kafka: kafka.Options{Brokers: []string{"127.0.0.1:1"}}, Namespace: "shop", Outgoing: out, Leases: leases, Owner: holder,
		Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	p.topic.open = topic.open
	return p
}
