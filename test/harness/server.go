package harness

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"
)

// server is the part that the three kinds of servers share: a process that can be stopped and started again on the same
// port and folder. process is nil for a server from the environment.
type server struct {
	Dir     string
	process *Process
	ready   func() error
	prepare func() error // runs before each start but the first; nil: nothing is to be done
	verify  func() error // runs once the server is ready; nil: any version will do
	shared  bool
}

// launch starts the process and waits until ready returns nil.
func (s *server) launch() error {
	if s.prepare != nil && s.process.cmd != nil {
		if err := s.prepare(); err != nil {
			return fmt.Errorf("prepare %s for its next start: %w", s.process.name, err)
		}
	}
	if err := s.process.start(); err != nil {
		return fmt.Errorf("start %s: %w", s.process.name, err)
	}
	if err := s.process.until(s.ready); err != nil {
		return fmt.Errorf("%w\n%s%s", err, Tail(s.process.read("stdout")), Tail(s.process.read("stderr")))
	}
	if s.verify != nil {
		return s.verify()
	}
	return nil
}

func (s *server) own() *Process {
	if s.shared || s.process == nil {
		panic("a shared server serves other tests too: start one of your own to stop or pause it")
	}
	return s.process
}

// Kill ends the server as kill -9 does.
func (s *server) Kill() { s.own().Kill() }

// Stop ends the server in order (SIGTERM).
func (s *server) Stop() { s.own().end(syscall.SIGTERM) }

// Start starts the server again on the same address and data and waits until it serves.
func (s *server) Start() {
	p := s.own()
	p.tb.Helper()
	if err := s.launch(); err != nil {
		p.tb.Fatal(err)
	}
}

// Pause stops the server's process (SIGSTOP): connections stay open and get no answer.
func (s *server) Pause() { s.own().Pause() }

// Continue ends a Pause.
func (s *server) Continue() { s.own().Continue() }

// PID returns the id of the server's process; it changes at every Start.
func (s *server) PID() int { return s.own().PID() }

// begin launches a server that belongs to t.
func (s *server) begin(t testing.TB) {
	t.Helper()
	t.Cleanup(func() { s.process.end(syscall.SIGKILL) })
	if err := s.launch(); err != nil {
		t.Fatal(err)
	}
}

// accepts returns nil when the address accepts a connection.
func accepts(address string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}
