package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Faults of the network between a process and a server, one for each thing that can become of a call.
type fate int

const (
	arrives     fate = iota
	lostRequest      // never reaches the server; the caller hears an error
	lostReply        // executed; the caller hears an error
	silence          // executed; the caller hears nothing until its patience ends
	late             // executed when the caller has given up long ago
	slow             // executed and answered, but slowly
	fates
)

var (
	errReset = errors.New("connection reset by peer")
	errDead  = errors.New("this process has died")
)

// place is a server as the network sees it.
type place struct {
	name    string
	mu      sync.Mutex
	downTo  time.Time // not reachable before this moment
	life    int       // rises when the server restarts: what was under way to it is lost
	refused error     // what a caller hears while it is down
}

var errRefused = errors.New("connection refused")

func newPlace(name string) *place {
	return &place{name: name, refused: &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("%s: %w", name, errRefused)}}
}

func (s *place) down() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.downTo)
}

func (s *place) present() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life
}

// away takes the server off the network for a while; a restart also loses what is under way.
func (s *place) away(d time.Duration, restart bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until := time.Now().Add(d); until.After(s.downTo) {
		s.downTo = until
	}
	if restart {
		s.life++
	}
}

// hold waits for a while or for the end of ctx.
func hold(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call takes do to a server, has it executed there and takes the answer back. An error says what the caller hears, which
// is not whether do was executed.
func (p *process) call(ctx context.Context, to *place, what string, do func()) error {
	if err := p.thaw(ctx); err != nil {
		return err
	}
	fate := p.world.step(p, to, what)
	if p.dead() {
		return errDead
	}
	if to.down() {
		if err := hold(ctx, p.chance.span(20*time.Microsecond, 90*time.Microsecond)); err != nil {
			return err
		}
		return to.refused
	}
	return p.carry(ctx, to, what, fate, do)
}

func (p *process) carry(ctx context.Context, to *place, what string, fate fate, do func()) error {
	life := to.present()
	out, back := p.world.travel(p.chance), p.world.travel(p.chance)
	if fate == slow {
		out, back = out+p.chance.span(0, 400*time.Millisecond), back+p.chance.span(0, 700*time.Millisecond)
	}
	if fate == late {
		out = p.chance.span(20*time.Millisecond, 12*time.Second)
	}
	answered := make(chan error, 1)
	go func() {
		time.Sleep(out)
		if fate == lostRequest || to.present() != life || to.down() || p.world.over() {
			answered <- errReset
			return
		}
		do()
		p.world.trace.note(p, to, what, fate)
		time.Sleep(back)
		switch fate {
		case lostReply:
			answered <- errReset
		case silence, late:
		default:
			answered <- nil
		}
	}()
	select {
	case err := <-answered:
		if err == nil {
			err = p.thaw(ctx)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-p.died:
		return errDead
	}
}
