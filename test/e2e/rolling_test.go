package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/buyers"
	"flashsale/test/harness"
)

// The crowd of the rolling restart: each of rollClients presses once every rollEvery, over one connection.
const (
	rollClients = 48
	rollEvery   = 40 * time.Millisecond
	rollNoise   = 100 * time.Millisecond // of a p99 of a few milliseconds on a busy machine
	rollQuiet   = 5 * time.Second        // of presses before the first restart: the p99 to compare with
)

// rolled is an answer that a client of the rolling restart got.
type rolled struct {
	at     time.Time
	took   time.Duration
	status int // 0: the connection ended without an answer
}

// roller presses through one address over connections that it keeps.
type roller struct {
	address string
	mu      sync.Mutex
	answers []rolled
	faults  []error
	pressed atomic.Int64
	stop    chan struct{}
	group   sync.WaitGroup
}

// behindNginx starts deploy/nginx.conf in front of all gateways, without TLS, and returns its address.
func behindNginx(s *stack) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(s.t), "deploy", "nginx.conf"))
	require.NoError(s.t, err)
	const server = "server 127.0.0.1:8080 max_fails=1 fail_timeout=5s;"
	members := ""
	for _, g := range s.Gateways {
		members += "server " + g.Buyers + " max_fails=1 fail_timeout=5s;\n"
	}
	folder, _ := certificate(s.t)
	address := harness.Address(s.t)
	harness.Nginx(s.t, pasted(s.t, string(text), map[string]string{
		server: members, "listen 443 ssl http2;": "listen " + address + ";",
		"/etc/nginx/shop.example.pem": filepath.Join(folder, "pem"), "/etc/nginx/shop.example.key": filepath.Join(folder, "key"),
	}), address)
	return address
}

// press begins the presses of all clients; end ends them and waits for their answers.
func (r *roller) press() {
	r.stop = make(chan struct{})
	for client := range rollClients {
		r.group.Go(func() { r.client(client) })
	}
}

func (r *roller) end() {
	close(r.stop)
	r.group.Wait()
}

// pressedFor waits until the clients have pressed as often as they do in a time, or that time has passed on a slow machine.
func (r *roller) pressedFor(span time.Duration) {
	until, deadline := r.pressed.Load()+int64(rollClients*span/rollEvery), time.Now().Add(2*span)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for r.pressed.Load() < until && time.Now().Before(deadline) {
		<-tick.C
	}
}

// client presses at its own times until the end, each time as another buyer, under a key.
func (r *roller) client(client int) {
	tick := time.NewTicker(rollEvery)
	defer tick.Stop()
	var conn *buyers.Conn
	for press := 0; ; press++ {
		select {
		case <-r.stop:
			if conn != nil {
				_ = conn.Close()
			}
			return
		case <-tick.C:
		}
		buyer := fmt.Sprintf("roll-%d-%d", client, press)
		request := fmt.Sprintf("POST /v1/sales/rush/items/phone/orders HTTP/1.1\r\nHost: shop.example\r\n"+
			"Authorization: Bearer %s\r\nIdempotency-Key: %s\r\nContent-Length: 0\r\n\r\n", token(buyer), buyer)
		r.note(&conn, []byte(request))
	}
}

// note sends a press and keeps what came of it. A connection that ends is opened anew for the next press.
func (r *roller) note(conn **buyers.Conn, request []byte) {
	one := rolled{at: time.Now()}
	var header map[string]string
	var err error
	if *conn == nil {
		*conn, err = buyers.Dial(r.address)
	}
	if err == nil {
		one.status, header, _, err = (*conn).Exchange(request)
	}
	one.took = time.Since(one.at)
	r.mu.Lock()
	r.answers = append(r.answers, one)
	if err != nil {
		r.faults = append(r.faults, err)
	}
	r.mu.Unlock()
	r.pressed.Add(1)
	if *conn != nil && (err != nil || header["connection"] == "close") {
		_ = (*conn).Close()
		*conn = nil
	}
}

// statuses counts the answers by status.
func (r *roller) statuses() map[int]int {
	counts := map[int]int{}
	for _, one := range r.answers {
		counts[one.status]++
	}
	return counts
}

// p99 returns the 99th percentile of the answers that were asked for within a span.
func (r *roller) p99(from, to time.Time) time.Duration {
	var took []time.Duration
	for _, one := range r.answers {
		if !one.at.Before(from) && one.at.Before(to) {
			took = append(took, one.took)
		}
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// restart ends a process as a rollout does, starts it again and waits until it is ready.
func (s *stack) restart(p *gateway) {
	s.t.Helper()
	require.Zero(s.t, p.Term(), p.Stderr())
	p.Restart()
	p.Ready()
}

// sold returns how many purchases a gateway has counted since its start.
func (s *stack) sold(g *gateway) (sum float64) {
	s.t.Helper()
	for name, n := range s.metrics(g.Operators) {
		if strings.HasPrefix(name, `flashsale_purchases_total{outcome="queued",`) {
			sum += n
		}
	}
	return sum
}

// TestRollingRestart: all gateways and settle processes are restarted one by one in the middle of a rush behind nginx. Every
// press gets its answer, none a refusal, the p99 at most doubles, and the books balance.
func TestRollingRestart(t *testing.T) {
	s := newStack(t, servers{Env: []string{"FLASHSALE_GATEWAY_TRUSTED_PROXIES=127.0.0.0/8"}}).run(3, 2)
	s.open("rush", lasting(phone(1_000_000)))
	crowd := &roller{address: behindNginx(s)}
	crowd.press()
	crowd.pressedFor(rollQuiet)
	begin := time.Now()
	for _, g := range s.Gateways {
		s.restart(g)
		require.Eventually(t, func() bool { return s.sold(g) > 0 }, 20*time.Second, 20*time.Millisecond,
			"nginx asks the gateway again")
	}
	for _, p := range s.Settles {
		s.restart(p)
	}
	end := time.Now()
	crowd.pressedFor(rollQuiet)
	crowd.end()
	before, during := crowd.p99(begin.Add(-rollQuiet+time.Second), begin), crowd.p99(begin, end)
	after := crowd.p99(end, end.Add(rollQuiet))
	t.Logf("%d presses, %d s of restarts: %v, p99 before %v, during %v, after %v", len(crowd.answers),
		int(end.Sub(begin).Seconds()), crowd.statuses(), before, during, after)
	assert.Empty(t, crowd.faults, "connections that ended without an answer")
	assert.Equal(t, map[int]int{http.StatusAccepted: len(crowd.answers)}, crowd.statuses())
	assert.LessOrEqual(t, during, max(2*before, 2*after, rollNoise))
	s.audit("rush")
	require.Len(t, s.orderRows("rush").rows, crowd.statuses()[http.StatusAccepted], strconv.Itoa(len(crowd.answers)))
}
