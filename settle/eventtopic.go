package settle

import (
	"context"
	"fmt"
)

// eventWriter is an open way to the topic.
type eventWriter interface {
	// send returns nil when every replica has every event.
	send(records []eventRecord) error
	Close() error
}

// eventTopic is the way to the events topic. At most one producer of this process sends to it: one that was given up has
// sent its last record before the next begins. It is used by one goroutine.
type eventTopic struct {
	open     func() (eventWriter, error)
	producer eventWriter   // nil until it is needed, and after a fault
	ending   chan struct{} // of the producer given up last: closed at its end
}

// publish returns nil when every replica has every event. After an error it is not known which of them the topic has.
func (t *eventTopic) publish(ctx context.Context, records []eventRecord) error {
	if err := t.connect(ctx); err != nil {
		return fmt.Errorf("start the producer of events: %w", err)
	}
	sent := make(chan error, 1)
	producer := t.producer
	go func() { sent <- producer.send(records) }()
	select {
	case err := <-sent:
		if err == nil {
			return nil
		}
		sent <- err // for giveUp, which waits for it
		t.giveUp(sent)
		return fmt.Errorf("publish %d events: %w", len(records), err)
	case <-ctx.Done():
		t.giveUp(sent)
		return context.Cause(ctx)
	}
}

// connect opens a producer where none is open.
func (t *eventTopic) connect(ctx context.Context) error {
	if err := t.ended(ctx); err != nil || t.producer != nil {
		return err
	}
	var producer eventWriter
	opened := make(chan error, 1)
	go func() {
		var err error
		producer, err = t.open()
		opened <- err
	}()
	select {
	case err := <-opened:
		if err == nil {
			t.producer = producer
		}
		return err
	case <-ctx.Done():
		t.ending = make(chan struct{})
		go func(ended chan<- struct{}) {
			defer close(ended)
			if <-opened == nil {
				_ = producer.Close() // it has sent nothing
			}
		}(t.ending)
		return context.Cause(ctx)
	}
}

// giveUp closes the producer once the call under way has ended: sarama's own timeouts bound it.
func (t *eventTopic) giveUp(sent <-chan error) {
	producer, ended := t.producer, make(chan struct{})
	t.producer, t.ending = nil, ended
	go func() {
		defer close(ended)
		<-sent               //nolint:errcheck // the page is sent again, whatever became of it
		_ = producer.Close() // what it could not send is sent again by another
	}()
}

// ended waits for the end of a producer that was given up.
func (t *eventTopic) ended(ctx context.Context) error {
	if t.ending == nil {
		return nil
	}
	select {
	case <-t.ending:
		t.ending = nil
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close ends the producer, or waits for the end of the one that was given up.
func (t *eventTopic) close(ctx context.Context) error {
	if t.producer == nil {
		return t.ended(ctx)
	}
	producer := t.producer
	t.producer = nil
	return await(ctx, producer.Close)
}
