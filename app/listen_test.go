package app

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/settings"
)

// The error names every listener that cannot be opened, and none stays open.
func TestListenersAreHadAllOrNone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	s := &settings.Settings{}
	s.Gateway.Listen, s.Admin.Listen, s.Settle.Listen = taken.Addr().String(), free.Addr().String(), "nowhere"
	wanted := append(GatewayListeners(s), SettleListeners(s)...)
	for _, try := range []func() error{
		func() error { _, err := listenAll(wanted); return err }, func() error { return CheckListeners(wanted) },
	} {
		var faults *settings.Faults
		require.ErrorAs(t, try(), &faults)
		require.Len(t, faults.Lines, 2)
		require.Contains(t, faults.Lines[0], "gateway.listen: ")
		require.Contains(t, faults.Lines[1], "settle.listen: ")
	}
	require.NoError(t, CheckListeners(wanted[1:2]), "it was closed again")
	opened, err := listenAll(wanted[1:2])
	require.NoError(t, err, "it was closed again")
	require.NoError(t, opened[0].Close())
}

// A server that is told to end answers the requests that it has accepted and accepts no more.
func TestServeHTTPDrains(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, end := context.WithCancel(t.Context())
	entered, stopped := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-stopped
		w.WriteHeader(http.StatusNoContent)
	})
	served := make(chan error, 1)
	go func() { served <- serveHTTP(ctx, listener, handler, func() { close(stopped) }, time.Minute) }()
	answered := make(chan int, 1)
	go func() {
		answer, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			answered <- 0
			return
		}
		answer.Body.Close()
		answered <- answer.StatusCode
	}()
	<-entered
	end()
	require.Equal(t, http.StatusNoContent, <-answered)
	require.NoError(t, <-served)
	_, err = net.Dial("tcp", listener.Addr().String())
	require.Error(t, err)
}

func TestServeHTTPReturnsTheFaultOfItsListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	err = serveHTTP(t.Context(), listener, http.NotFoundHandler(), func() {}, time.Minute)
	require.ErrorContains(t, err, "serve "+listener.Addr().String())
	require.ErrorIs(t, err, net.ErrClosed)
}
