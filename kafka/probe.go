package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// probeTimeout bounds one answer to a probe.
const probeTimeout = 2 * time.Second

// Probe asks the brokers for a sign of life. It connects at its first use and keeps the connection.
type Probe struct {
	options Options
	topic   string
	life    context.Context // until Close
	end     context.CancelFunc

	turn   chan struct{} // one question at a time; whoever has put a value in owns what follows
	client sarama.Client
	until  context.Context // the client's connections end with it
	leave  context.CancelFunc
}

// NewProbe returns a Probe of the orders topic of a namespace. It does not connect yet.
func NewProbe(o Options, namespace string) *Probe {
	p := &Probe{options: o, topic: TopicsOf(namespace).Orders, turn: make(chan struct{}, 1)}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

// Ping returns nil when a broker answers and every partition of the orders topic has a leader. When ctx ends, the connections
// end too, and nothing is left that waits for a broker.
func (p *Probe) Ping(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if p.life.Err() != nil {
		return errors.New("the probe of kafka is closed")
	}
	if p.until == nil {
		p.until, p.leave = context.WithCancel(p.life)
	}
	stop := context.AfterFunc(ctx, p.leave)
	err := p.ask()
	if stop() && err == nil {
		return nil
	}
	if err = errors.Join(err, p.disconnect()); ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (p *Probe) ask() error {
	if p.client == nil {
		config, err := p.options.Config()
		if err != nil {
			return err
		}
		config = BoundTo(p.until, config)
		config.Net.ReadTimeout, config.Net.WriteTimeout = probeTimeout, probeTimeout
		config.Metadata.Retry.Max, config.Metadata.RefreshFrequency = 0, 0
		if p.client, err = sarama.NewClient(p.options.Brokers, config); err != nil {
			p.client = nil
			return fmt.Errorf("reach kafka at %v: %w", p.options.Brokers, err)
		}
	}
	if err := p.client.RefreshMetadata(p.topic); err != nil {
		return fmt.Errorf("find the leaders of %s: %w", p.topic, err)
	}
	return nil
}

// disconnect ends the connections; the next question connects anew.
func (p *Probe) disconnect() (err error) {
	if p.leave != nil {
		p.leave()
	}
	if p.client != nil {
		err = p.client.Close()
	}
	p.client, p.until, p.leave = nil, nil, nil
	return err
}

// Close ends the connection, and with it a question under way.
func (p *Probe) Close() error {
	p.end()
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	return p.disconnect()
}
