package events

import (
	"context"
	"fmt"

	"flashsale/kafka"
)

// sender is an open connection to the topic.
type sender interface {
	// Send returns nil when every replica has every record.
	Send(records []kafka.Record) error
	Close() error
}

// topic sends to the events topic. At most one sender of this process is in use: the next sender opens only after an
// abandoned one has sent its last record. One goroutine uses a topic.
type topic struct {
	open   func() (sender, error)
	sender sender        // nil until it is needed, and after a fault
	ending chan struct{} // of the sender abandoned last: closed at its end
}

// publish returns nil when every replica has every event. After an error it is unknown which of them the topic has.
func (t *topic) publish(ctx context.Context, records []kafka.Record) error {
	if err := t.connect(ctx); err != nil {
		return fmt.Errorf("start the producer of events: %w", err)
	}
	sent := make(chan error, 1)
	using := t.sender
	go func() { sent <- using.Send(records) }()
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

// connect opens a sender when none is open.
func (t *topic) connect(ctx context.Context) error {
	if err := t.ended(ctx); err != nil || t.sender != nil {
		return err
	}
	var fresh sender
	opened := make(chan error, 1)
	go func() {
		var err error
		fresh, err = t.open()
		opened <- err
	}()
	select {
	case err := <-opened:
		if err == nil {
			t.sender = fresh
		}
		return err
	case <-ctx.Done():
		t.ending = make(chan struct{})
		go func(ended chan<- struct{}) {
			defer close(ended)
			if <-opened == nil {
				_ = fresh.Close() // it has sent nothing
			}
		}(t.ending)
		return context.Cause(ctx)
	}
}

// giveUp closes the sender after its running call has ended: sarama's own timeouts bound it.
func (t *topic) giveUp(sent <-chan error) {
	given, ended := t.sender, make(chan struct{})
	t.sender, t.ending = nil, ended
	go func() {
		defer close(ended)
		<-sent            //nolint:errcheck // the page is sent again in any case
		_ = given.Close() // another sender repeats what this one could not send
	}()
}

// ended waits for the end of an abandoned sender.
func (t *topic) ended(ctx context.Context) error {
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

// close ends the sender, or waits for the end of the abandoned one.
func (t *topic) close(ctx context.Context) error {
	if t.sender == nil {
		return t.ended(ctx)
	}
	last := t.sender
	t.sender = nil
	return kafka.Await(ctx, last.Close)
}
