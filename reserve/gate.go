package reserve

import (
	"context"
	"fmt"
	"sync"
)

// gate counts the work under way, so that a draining engine knows when there is none.
type gate struct {
	mu     sync.Mutex
	count  int
	closed bool
	empty  chan struct{} // closed when the gate is closed and count is 0
}

func newGate() *gate { return &gate{empty: make(chan struct{})} }

// enter counts one more. It returns false when the gate is closed.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.count++
	return true
}

// add counts one more on behalf of a caller that is counted already, also when the gate is closed.
func (g *gate) add() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.count == 0 {
		panic("gate: add without an entry inside")
	}
	g.count++
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count--
	if g.count < 0 {
		panic("gate: more left than entered")
	}
	if g.closed && g.count == 0 {
		close(g.empty)
	}
}

// drain closes the gate and waits until the count is 0. Its error wraps that of ctx and says how much is still under way.
func (g *gate) drain(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		if g.count == 0 {
			close(g.empty)
		}
	}
	g.mu.Unlock()
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		return fmt.Errorf("drain: %d batches and records are still under way: %w", g.count, ctx.Err())
	}
}
