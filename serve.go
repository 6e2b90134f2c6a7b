package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flashsale/admin"
	"flashsale/sale"
	"flashsale/settings"
)

type gatewayCommand struct{}

// Run serves buyers and operators until the process is asked to end.
func (gatewayCommand) Run(inv *invocation) error {
	return inv.serve("gateway", func(s *site) (role, error) {
		debug.SetGCPercent(s.settings.Gateway.GCPercent)
		if s.settings.Auth.Audience == "" {
			s.log.Warn("a token that was made for another service is believed too: auth.audience is not set")
		}
		return newGatewayRole(s)
	})
}

type settleCommand struct{}

// Run settles until the process is asked to end.
func (settleCommand) Run(inv *invocation) error {
	return inv.serve("settle", func(s *site) (role, error) {
		debug.SetGCPercent(s.settings.Settle.GCPercent)
		return newSettleRole(s)
	})
}

// role is one of the long-running processes. run returns when ctx ends and everything is drained, or with the fault
// that ended it.
type role interface {
	run(ctx context.Context) error
	metrics() prometheus.Gatherer
}

func (inv *invocation) serve(command string, build func(*site) (role, error)) error {
	s, err := inv.processSettings(command)
	if err != nil {
		return err
	}
	place, err := newSite(s, newLogger(inv.stderr, s.Log.Level))
	if err != nil {
		return err
	}
	defer place.close()
	process, err := build(place)
	if err != nil {
		return err
	}
	defer ignoreHangup(place.log)()
	ended := watchEnding(inv.ctx, place.log, command, process.metrics())
	err = process.run(inv.ctx)
	ended(err)
	return err
}

// processSettings loads the settings of a process that listens. Where they are at fault already, taken ports are looked
// for too, so that whoever mends the configuration hears of everything at once.
func (inv *invocation) processSettings(command string) (*settings.Settings, error) {
	s, err := inv.settings(command)
	var faults *settings.Faults
	if !errors.As(err, &faults) {
		return s, err
	}
	opened, err := listenAll(listenersOf(command, s))
	var taken *settings.Faults
	if errors.As(err, &taken) {
		faults.Lines = append(faults.Lines, taken.Lines...)
	}
	for _, listener := range opened {
		_ = listener.Close() // it was only a question
	}
	return nil, faults
}

// listenersOf returns what a process listens on, in the order in which its roles take them.
func listenersOf(command string, s *settings.Settings) []wantedListener {
	gateway := []wantedListener{{"gateway.listen", s.Gateway.Listen}, {"admin.listen", s.Admin.Listen}}
	worker := []wantedListener{{"settle.listen", s.Settle.Listen}}
	switch command {
	case "gateway":
		return gateway
	case "settle":
		return worker
	}
	return append(gateway, worker...)
}

// listen opens a listener; a taken or wrong address is a fault of the settings.
func listen(setting, addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &settings.Faults{Lines: []string{fmt.Sprintf("%s: %v", setting, err)}}
	}
	return listener, nil
}

// listenAll opens every listener that is asked for and names all that cannot be had at once.
func listenAll(wanted []wantedListener) ([]net.Listener, error) {
	faults := &settings.Faults{}
	var opened []net.Listener
	for _, w := range wanted {
		listener, err := listen(w.setting, w.addr)
		var fault *settings.Faults
		if errors.As(err, &fault) {
			faults.Lines = append(faults.Lines, fault.Lines...)
			continue
		}
		opened = append(opened, listener)
	}
	if len(faults.Lines) == 0 {
		return opened, nil
	}
	for _, listener := range opened {
		_ = listener.Close() // nothing was served on it
	}
	return nil, faults
}

type wantedListener struct{ setting, addr string }

// startup is what a process still waits for, shown by /readyz. A store that goes away later does not come back here.
type startup struct {
	mu      sync.Mutex
	waiting map[string]string
}

const startupRetry = 200 * time.Millisecond

func newStartup(names ...string) *startup {
	s := &startup{waiting: map[string]string{}}
	for _, name := range names {
		s.waiting[name] = "not reached yet"
	}
	return s
}

// Ready returns the checks that have not passed, by name, with what they found last.
func (s *startup) Ready() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.waiting)
}

func (s *startup) note(name, found string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found == "" {
		delete(s.waiting, name)
		return
	}
	s.waiting[name] = found
}

// wait repeats a check until it passes or ctx ends. A database of another schema is no matter of time: it ends the wait.
func (s *startup) wait(ctx context.Context, log *slog.Logger, name string, check func(context.Context) error) error {
	said := ""
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := check(try)
		cancel()
		switch {
		case err == nil:
			s.note(name, "")
			return nil
		case ctx.Err() != nil:
			return nil //nolint:nilerr // asked to end while waiting: what the check found does not matter any more
		case errors.Is(err, sale.ErrSchema):
			return err
		}
		if err.Error() != said {
			said = err.Error()
			log.Warn("waiting", "for", name, "error", said)
		}
		s.note(name, said)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(startupRetry):
		}
	}
}

// errNotYet is the finding of a check that has nothing better to say.
var errNotYet = errors.New("not reached yet")

func yet(ready func() bool) func(context.Context) error {
	return func(context.Context) error {
		if ready() {
			return nil
		}
		return errNotYet
	}
}

// serveHTTP serves until ctx ends, then gives requests under way until the timeout.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler, stop func(), timeout time.Duration) error {
	server := admin.NewServer(handler)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(admin.ProblemListener(listener)) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("end the listener %s: %w", listener.Addr(), err), server.Close())
	}
	return nil
}
