package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// probeTimeout bounds each step of a probe: connecting, and one answer.
const probeTimeout = 2 * time.Second

// Probe asks the brokers for a sign of life. It connects at its first use and keeps the connection.
type Probe struct {
	options Options
	topic   string

	mu     sync.Mutex // one question at a time
	client sarama.Client
	closed bool
}

// NewProbe returns a Probe of the orders topic of a namespace. It does not connect yet.
func NewProbe(o Options, namespace string) *Probe {
	return &Probe{options: o, topic: TopicsOf(namespace).Orders}
}

// Ping returns nil when a broker answers and every partition of the orders topic has a leader. It returns early when ctx ends.
func (p *Probe) Ping(ctx context.Context) error {
	return Await(ctx, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		err := p.ask()
		if err != nil && p.client != nil { // the next call connects anew
			err = errors.Join(err, p.client.Close())
			p.client = nil
		}
		return err
	})
}

func (p *Probe) ask() error {
	if p.closed {
		return errors.New("the probe of kafka is closed")
	}
	if p.client == nil {
		config, err := p.options.Config()
		if err != nil {
			return err
		}
		config.Net.DialTimeout, config.Net.ReadTimeout, config.Net.WriteTimeout = probeTimeout, probeTimeout, probeTimeout
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

// Close ends the connection; a question under way ends first.
func (p *Probe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.client == nil {
		return nil
	}
	err := p.client.Close()
	p.client = nil
	return err
}
