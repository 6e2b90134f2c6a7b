package harness

import (
	"net"
	"sync"
	"testing"
)

// Wire is a TCP proxy that can lose its connections, as when a machine is replaced or a firewall drops its state: they stay
// open, carry nothing more, and neither end gets an error.
type Wire struct {
	Addr   string
	target string
	mu     sync.Mutex
	lost   chan struct{} // of the connections made so far: closed when they are lost
	ended  chan struct{}
}

// NewWire listens on a port of its own and forwards to target until the test ends.
func NewWire(t testing.TB, target string) *Wire {
	t.Helper()
	listener, err := net.Listen("tcp", loopback(0))
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{Addr: listener.Addr().String(), target: target, lost: make(chan struct{}), ended: make(chan struct{})}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // closed
			}
			carrying.Go(func() { w.carry(near) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close() // it is no longer needed
		close(w.ended)
		carrying.Wait()
	})
	return w
}

// Lose loses every open connection; new ones work.
func (w *Wire) Lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.lost)
	w.lost = make(chan struct{})
}

func (w *Wire) carry(near net.Conn) {
	w.mu.Lock()
	lost := w.lost
	w.mu.Unlock()
	defer near.Close()
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer far.Close()
	over := make(chan struct{}, 2)
	pump := func(from, to net.Conn) {
		defer func() { over <- struct{}{} }()
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			select {
			case <-lost:
				<-w.ended
				return
			default:
			}
			if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
				return
			}
		}
	}
	go pump(near, far)
	go pump(far, near)
	select {
	case <-over:
	case <-w.ended:
	}
}
