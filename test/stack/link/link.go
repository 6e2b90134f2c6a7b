// Package link is a TCP proxy that a test can cut, freeze, slow down, make deaf in one direction, or lead to another
// server, as a failover of a virtual address does. The fault suite puts one into every connection of the engine.
package link

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Mode is how a link treats bytes.
type Mode string

// The modes. A change of mode leaves open connections open, except Cut.
const (
	Good   Mode = "good"
	Cut    Mode = "cut"    // connections end, new ones end at once
	Frozen Mode = "frozen" // nothing arrives in either direction; connections stay open
	Deaf   Mode = "deaf"   // bytes to the target arrive, bytes from it do not
	Slow   Mode = "slow"   // everything arrives late
)

const (
	chunkBytes  = 32 << 10
	chunksAhead = 64 // on the wire in one direction before the sender has to wait
	dialWithin  = 2 * time.Second
)

// Link listens on an address of its own and forwards its connections to the target.
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

// New listens on address, which may name port 0, and forwards to target.
func New(address, target string) (*Link, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for a link to %s: %w", target, err)
	}
	l := &Link{listener: listener, mode: Good, target: target, conns: map[net.Conn]bool{}, changed: make(chan struct{})}
	l.done.Go(l.accept)
	return l, nil
}

// Addr returns the host:port at which the link listens.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Set changes the mode; delay is the delay of Slow in each direction.
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

// Heal sets the mode Good.
func (l *Link) Heal() { l.Set(Good, 0) }

// Lead closes every connection and forwards new ones to another server.
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

// drop closes every connection; the caller has locked the link.
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

// keep registers a connection; false when the link is cut.
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

// pump carries one direction: a reader that stamps bytes with their arrival, and a writer that forwards them when the mode
// lets them pass. The end of one direction ends the connection.
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
		_ = to.Close() // no more bytes follow
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

// pass waits until bytes that arrived at a moment may be forwarded; false when they never may.
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
