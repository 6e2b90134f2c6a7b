package doctor

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// A healthy deployment has no danger, and each store that stops is told while the others are judged.
func TestExamine(t *testing.T) {
	w := newDatabase(t)
	w.migrate()
	w.schema.tables = []string{"sales", "items", "stock", "gateways"}
	redis, kafka := harness.Redis(t, "--maxmemory", "1gb"), harness.Kafka(t)
	o := w.o
	o.RedisAddrs, o.KafkaBrokers = []string{redis.Addr}, kafka.Brokers
	makeTopics(t, adminOf(t, kafka.Brokers), o.Topics, 1)
	r := Examine(t.Context(), o)
	require.Empty(t, dangers(r))
	require.Equal(t, 3, r.Answered)
	require.Contains(t, worst(t, r, Redis, "memory").Found, "132 orders", "125 units of the open sale and 7 of the draft")
	require.Contains(t, worst(t, r, Redis, "memory").Found, "70 listed buyers")

	redis.Pause()
	began := time.Now()
	r = Examine(t.Context(), o)
	require.Less(t, time.Since(began), 20*time.Second)
	require.Equal(t, 2, r.Answered)
	require.Equal(t, Danger, worst(t, r, Redis, "answers").Level)
	require.Contains(t, worst(t, r, Redis, "answers").Found, redis.Addr)
	require.Equal(t, OK, worst(t, r, Database, "answers").Level)
	require.Equal(t, Unknown, worst(t, r, Clocks, "redis").Level)

	w.server.Pause()
	kafka.Pause()
	began = time.Now()
	r = Examine(t.Context(), o)
	require.Less(t, time.Since(began), 30*time.Second)
	require.Zero(t, r.Answered, "%+v", r.Findings)
	require.Len(t, dangers(r), 3)
	for _, server := range []func(){redis.Continue, w.server.Continue, kafka.Continue} {
		server()
	}
	require.Eventually(t, func() bool { return len(dangers(Examine(t.Context(), o))) == 0 }, time.Minute, 100*time.Millisecond,
		"a broker and a node of a cluster take a moment to join again")
}

// proxied relays connections to one of several servers in turn, and refuses the commands that it does not know.
func proxied(t *testing.T, servers ...string) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for n := 0; ; n++ {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", servers[n%len(servers)])
			if err != nil {
				near.Close()
				return
			}
			go relay(near, far)
			go relay(far, near)
		}
	}()
	return listener.Addr().String()
}

// relay copies until one side ends, and ends the other.
func relay(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, bad := to.Write(buffer[:n]); bad != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// A proxy that spreads connections over two servers is a danger; one before a single server is none.
func TestProxyBeforeRedis(t *testing.T) {
	one, two := harness.Redis(t), harness.Redis(t)
	look := func(addr string) Report {
		o := only(t, Options{RedisAddrs: []string{addr}}, Redis)
		return Report{Findings: inOrder(judgeRedis(lookAtRedis(t.Context(), o), salesFacts{}, o))}
	}
	require.Equal(t, OK, worst(t, look(proxied(t, one.Addr)), Redis, "proxy").Level)
	found := worst(t, look(proxied(t, one.Addr, two.Addr)), Redis, "proxy")
	require.Equal(t, Danger, found.Level)
	require.Contains(t, found.Found, "two servers")
}

// A listener that another program has is a danger, and one that answers the engine's probe is not.
func TestListeners(t *testing.T) {
	answers := func(text string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/livez" {
				w.WriteHeader(http.StatusNotFound)
			}
			_, err := w.Write([]byte(text))
			require.NoError(t, err)
		}))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	}
	o := only(t, Options{GatewayListen: answers(`{"status":"ok"}`), AdminListen: answers("hello"), SettleListen: "192.0.2.1:80"})
	found := judgeMachine(lookAtMachine(o), o)
	require.Equal(t, OK, level(found, "gateway_listen"))
	require.Equal(t, Danger, level(found, "admin_listen"))
	require.Equal(t, Danger, level(found, "settle_listen"), "no address of this machine")
}
