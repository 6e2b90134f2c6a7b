package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Faults of the network between a process and a server, one for each fate of a call.
type fate int

const (
	arrives     fate = iota
	lostRequest      // never reaches the server; the caller gets an error
	lostReply        // executed; the caller gets an error
	silence          // executed; the caller gets nothing until its deadline
	late             // executed when the caller has given up long ago
	slow             // executed and answered, but slowly
	fates
)

var (
	errReset = errors.New("connection reset by peer")
	errDead  = errors.New("this process has died")
)

// place is a server's state in the network.
type place struct {
	name    string
	mu      sync.Mutex
	downTo  time.Time // not reachable before this moment
	life    int       // rises when the server restarts: messages under way to it are lost
	refused error     // the error of a call while the server is down
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

// call carries do to a server, executes it there and carries the answer back. Its error is the caller's; it does not decide
// whether do was executed.
func (p *process) call(ctx context.Context, to *place, what string, do func()) error {
	return p.callWithin(ctx, 0, to, what, do)
}

// callWithin is call with a time-out, 0 = none. Most calls need no timer: they return long before.
func (p *process) callWithin(ctx context.Context, patience time.Duration, to *place, what string, do func()) error {
	if patience > 0 && p.frozenFor(0) {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, patience)
		defer done()
	}
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
	if patience > 0 && fate != arrives {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, patience)
		defer done()
	}
	return p.carry(ctx, p.letter(to, what, fate, do))
}

// letter is a call on its way.
type letter struct {
	*process
	to        *place
	what      string
	fate      fate
	do        func()
	life      int // of the server, when the call was sent
	out, back time.Duration
}

func (p *process) letter(to *place, what string, fate fate, do func()) *letter {
	l := &letter{process: p, to: to, what: what, fate: fate, do: do, life: to.present()}
	l.out, l.back = p.world.travel(p.chance), p.world.travel(p.chance)
	switch fate {
	case slow:
		l.out, l.back = l.out+p.chance.span(0, 400*time.Millisecond), l.back+p.chance.span(0, 700*time.Millisecond)
	case late:
		l.out = p.chance.span(20*time.Millisecond, 12*time.Second)
	}
	return l
}

// arrive executes the call, unless it is lost or the server is down.
func (l *letter) arrive() bool {
	if l.fate == lostRequest || l.to.present() != l.life || l.to.down() || l.world.over() {
		return false
	}
	l.do()
	l.world.trace.note(l.process, l.to, l.what, l.fate)
	return true
}

// carry delivers a call while its caller waits. When the caller gives up earlier, the call is delivered without it.
func (p *process) carry(ctx context.Context, l *letter) error {
	sent := time.Now()
	timer := time.NewTimer(l.out)
	defer timer.Stop()
	if err := p.waits(ctx, timer.C); err != nil {
		time.AfterFunc(time.Until(sent.Add(l.out)), func() { l.arrive() })
		return err
	}
	if !l.arrive() {
		return errReset
	}
	if l.fate == silence || l.fate == late {
		return p.waits(ctx, nil)
	}
	timer.Reset(l.back)
	if err := p.waits(ctx, timer.C); err != nil {
		return err
	}
	if l.fate == lostReply {
		return errReset
	}
	return p.thaw(ctx)
}

// waits returns when the channel delivers, the caller gives up, or the process is dead.
func (p *process) waits(ctx context.Context, comes <-chan time.Time) error {
	select {
	case <-comes:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.died:
		return errDead
	}
}
