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

// TestBuyersCannotTakeEveryDescriptor: more buyers connect than the process has descriptors, and stay. An operator still
// pauses the sale, who was in before is still answered, and who came too late was told or closed.
func TestBuyersCannotTakeEveryDescriptor(t *testing.T) {
	const descriptors, buyers = 1100, 1300 // 100 for buyers
	s := newStack(t, servers{})
	g := s.NewGateway()
	g.Process = harness.Start(t, "/bin/sh", g.Env, "-c", "ulimit -n 1100 && exec \"$0\" gateway", s.Bin)
	s.Launch(0, 1)
	g.Ready()
	s.Settles[0].Ready()
	require.Contains(t, g.Stderr(), `"connections":100,"descriptors":1100`)
	require.Contains(t, g.Stderr(), "ulimit -n", "it warns that the setting asks for more")
	s.open("rush", lasting(phone(10)))

	held := make([]net.Conn, 0, buyers)
	for range buyers {
		conn, err := net.DialTimeout("tcp", g.Buyers, 5*time.Second)
		require.NoError(t, err)
		defer conn.Close()
		held = append(held, conn)
	}
	s.move("rush", "pause")
	stats := s.operate("GET", "/admin/v1/sales/rush/stats", nil)
	require.Equal(t, http.StatusOK, stats.status, "%s", stats.body)

	told, shut, served := 0, 0, 0
	for _, conn := range held {
		switch status := s.statusOf(conn); status {
		case 0:
			shut++
		case http.StatusOK:
			served++
		case http.StatusServiceUnavailable:
			told++
		default:
			t.Fatalf("answered %d", status)
		}
	}
	t.Logf("%d served, %d told that there is no room, %d closed", served, told, shut)
	assert.Positive(t, served)
	assert.LessOrEqual(t, served, descriptors-1000)
	assert.Positive(t, told)
}

// statusOf asks on a connection for the time and returns the answer's status, 0 when the gateway has closed it.
func (s *stack) statusOf(conn net.Conn) int {
	s.t.Helper()
	require.NoError(s.t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, _ = io.WriteString(conn, "GET /v1/time HTTP/1.1\r\nHost: shop\r\n\r\n") // one that is closed tells so by its answer
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
