package rehearse

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// desk is the listener of the shop's call-backs. It knows one route, that of a payment, and passes each call-back on to the
// operators' listener of the shadow unchanged; so the shop reaches nothing else of the shadow, and each call-back is counted.
type desk struct {
	token     string
	operators string // base URL of the operators' API
	shopToken string // of the shadow
	paid      func(order string)
	client    *http.Client
	server    *http.Server
	base      string
	ended     chan error
}

const (
	deskLimit   = 30 * time.Second // of reading or answering one call-back
	maxCallback = 4 << 10          // bytes
)

// openDesk listens at an address, port 0 for a free one.
func openDesk(address string, d *desk) (*desk, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the shop's call-backs (--callback-listen): %w", err)
	}
	d.base, d.client, d.ended = "http://"+listener.Addr().String(), newPayClient(), make(chan error, 1)
	routes := http.NewServeMux()
	routes.HandleFunc("PUT /admin/v1/orders/{order}/payment", d.callback)
	d.server = &http.Server{Handler: routes, ReadTimeout: deskLimit, WriteTimeout: deskLimit, IdleTimeout: deskLimit}
	go func() { d.ended <- d.server.Serve(listener) }()
	return d, nil
}

// callback passes one call-back on, and its answer back.
func (d *desk) callback(w http.ResponseWriter, r *http.Request) {
	given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(given), []byte(d.token)) != 1 {
		http.Error(w, "the token is not the one that the shop was told", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	order := r.PathValue("order")
	status, answer, err := send(r.Context(), d.client, http.MethodPut, d.operators+paymentPath(order), d.shopToken, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if status == http.StatusOK {
		d.paid(order)
	}
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusConflict {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = w.Write(answer) // a shop that is gone asks again
}

// close ends the listener.
func (d *desk) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := d.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = d.server.Close()
	}
	d.client.CloseIdleConnections()
	if served := <-d.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
