// Package link is a TCP proxy whose wire can be cut, frozen, slowed, or made deaf in one direction, and be led to another
// server, as a failover of a virtual address does. The fault suite puts one into every connection of the engine.
package link

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Mode is what the wire does.
type Mode string

// Modes. Connections that are open when the mode changes stay open, except for a Cut.
const (
	Good   Mode = "good"
	Cut    Mode = "cut"    // connections end, new ones end at once
	Frozen Mode = "frozen" // nothing arrives in either direction; connections stay open
	Deaf   Mode = "deaf"   // questions arrive and answers do not
	Slow   Mode = "slow"   // everything arrives late
)

const (
	chunkBytes  = 32 << 10
	chunksAhead = 64 // on the wire in one direction before the sender has to wait
	dialWithin  = 2 * time.Second
)

// Link listens on an address of its own and carries what comes to the target.
type Link struct {
	listener net.Listener
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at every change of the mode
	mode     Mode
	delay    time.Duration
	target   string
	conns    map[net.Conn]bool
	closed   bool
	done     sync.WaitGroup
}

// New listens on address, which may name port 0, and leads to target.
func New(address, target string) (*Link, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for a link to %s: %w", target, err)
	}
	l := &Link{listener: listener, mode: Good, target: target, conns: map[net.Conn]bool{}, changed: make(chan struct{})}
	l.done.Go(l.accept)
	return l, nil
}

// Addr is where the link listens.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Set changes what the wire does; delay is for Slow.
func (l *Link) Set(mode Mode, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mode, l.delay = mode, delay
	close(l.changed)
	l.changed = make(chan struct{})
	if mode == Cut {
		l.drop()
	}
}

// Heal makes the wire good again.
func (l *Link) Heal() { l.Set(Good, 0) }

// Lead ends every connection and leads new ones to another server.
func (l *Link) Lead(target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target = target
	l.drop()
}

// Close ends the link and waits for its goroutines.
func (l *Link) Close() error {
	l.mu.Lock()
	l.closed = true
	close(l.changed)
	l.changed = make(chan struct{})
	l.drop()
	l.mu.Unlock()
	err := l.listener.Close()
	l.done.Wait()
	return err
}

// drop ends every connection; the caller holds the lock.
func (l *Link) drop() {
	for conn := range l.conns {
		_ = conn.Close() // it is being cut
		delete(l.conns, conn)
	}
}

func (l *Link) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.done.Go(func() { l.carry(conn) })
	}
}

// keep remembers a connection; false when the wire is cut.
func (l *Link) keep(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.mode == Cut {
		return false
	}
	l.conns[conn] = true
	return true
}

func (l *Link) forget(conn net.Conn) {
	_ = conn.Close() // both ends are given up
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, conn)
}

func (l *Link) now() (Mode, time.Duration, string, <-chan struct{}, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mode, l.delay, l.target, l.changed, l.closed
}

func (l *Link) carry(near net.Conn) {
	defer l.forget(near)
	if !l.keep(near) {
		return
	}
	_, _, target, _, _ := l.now()
	far, err := net.DialTimeout("tcp", target, dialWithin)
	if err != nil {
		return
	}
	defer l.forget(far)
	if !l.keep(far) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(near, far, false) })
	both.Go(func() { l.pump(far, near, true) })
	both.Wait()
}

// chunk is some bytes on their way.
type chunk struct {
	bytes []byte
	at    time.Time
}

// pump carries one direction: a reader that notes when bytes came, and a writer that gives them out when the wire lets
// them. The end of one direction ends the connection.
func (l *Link) pump(from, to net.Conn, answers bool) {
	wire := make(chan chunk, chunksAhead)
	var writer sync.WaitGroup
	writer.Go(func() {
		for c := range wire {
			if l.pass(c.at, answers) {
				if _, err := to.Write(c.bytes); err == nil {
					continue
				}
			}
			_ = from.Close() // ends the reader below
		}
		_ = to.Close() // nothing more comes
	})
	for {
		buffer := make([]byte, chunkBytes)
		n, err := from.Read(buffer)
		if n > 0 {
			wire <- chunk{buffer[:n], time.Now()}
		}
		if err != nil {
			break
		}
	}
	close(wire)
	writer.Wait()
}

// pass waits until bytes that came at a moment may go on; false when they never will.
func (l *Link) pass(at time.Time, answers bool) bool {
	for {
		mode, delay, _, changed, closed := l.now()
		var late <-chan time.Time
		switch {
		case closed || mode == Cut:
			return false
		case mode == Good:
			return true
		case mode == Deaf && !answers:
			return true
		case mode == Slow:
			left := time.Until(at.Add(delay))
			if left <= 0 {
				return true
			}
			late = time.After(left)
		}
		select {
		case <-changed:
		case <-late:
		}
	}
}
