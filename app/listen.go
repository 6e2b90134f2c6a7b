package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"flashsale/admin"
	"flashsale/settings"
)

// Listener is one listener of a role: the setting with its address, and the address.
type Listener struct{ Setting, Addr string }

// GatewayListeners returns the listeners of a gateway, in the order in which it opens them.
func GatewayListeners(s *settings.Settings) []Listener {
	return []Listener{{"gateway.listen", s.Gateway.Listen}, {"admin.listen", s.Admin.Listen}}
}

// SettleListeners returns the listeners of a settling process.
func SettleListeners(s *settings.Settings) []Listener {
	return []Listener{{"settle.listen", s.Settle.Listen}}
}

// CheckListeners opens every listener and closes it again. Its error is a *settings.Faults with one line for each
// listener that cannot be opened.
func CheckListeners(wanted []Listener) error {
	opened, err := listenAll(wanted)
	for _, listener := range opened {
		_ = listener.Close() // it has served nothing
	}
	return err
}

// listen opens a listener. A taken or invalid address is a fault of the settings.
func listen(setting, addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &settings.Faults{Lines: []string{
			fmt.Sprintf("%s: %v; end the process that listens there, or set another address", setting, err),
		}}
	}
	return listener, nil
}

// listenAll opens every wanted listener, or none. Its error is a *settings.Faults with one line for each listener that
// cannot be opened.
func listenAll(wanted []Listener) ([]net.Listener, error) {
	faults := &settings.Faults{}
	var opened []net.Listener
	for _, w := range wanted {
		listener, err := listen(w.Setting, w.Addr)
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
		_ = listener.Close() // it has served nothing
	}
	return nil, faults
}

// serveHTTP serves until ctx ends. Then it calls stop, which ends endless answers, and waits up to timeout for the
// running requests.
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
