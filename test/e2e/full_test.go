package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// TestFullGatewayIsAlive: a gateway with all connections that it may have refuses a probe of the buyers' listener. The probes of
// the operators' listener, which the chart uses, still find it alive and ready, and not ready as soon as it drains.
func TestFullGatewayIsAlive(t *testing.T) {
	s := newStack(t, servers{Env: []string{"FLASHSALE_GATEWAY_MAX_CONNECTIONS=2"}}).run(1, 0)
	g := s.Gateways[0]
	probe := func(address, path string) harness.Result {
		return harness.Run(t, "", s.Bin, nil, "probe", "http://"+address+path)
	}
	for range 2 {
		conn, err := net.Dial("tcp", g.Buyers)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() }) // the gateway may have closed it
		_, err = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n")
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		assert.NotZero(t, probe(g.Buyers, path).Code, "it is full")
		found := probe(g.Operators, path)
		assert.Zero(t, found.Code, "%s: %s", path, found.Stderr)
	}
	ended := make(chan int, 1)
	go func() { ended <- g.Term() }()
	waitLogged(t, g.Process, "ending: draining")
	require.Eventually(t, func() bool { return probe(g.Operators, "/readyz").Code != 0 }, 20*time.Second, 5*time.Millisecond)
	assert.Zero(t, <-ended)
}
