package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
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

// checks reads what a process waits for; nothing when it is ready or does not answer yet.
func (s *stack) checks(address string) map[string]any {
	s.t.Helper()
	answer, err := operatorClient.Get("http://" + address + "/readyz")
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	r := reply{status: answer.StatusCode, header: answer.Header, body: body}
	members := []string{"checks", "dependencies"}
	if _, known := r.json(s)["clock_ahead_ms"]; known { // once Redis has answered
		members = append(members, "clock_ahead_ms")
	}
	found, _ := s.refused(r, 503, "unavailable", members...)["checks"].(object)
	return found
}

// waitsFor waits until a process waits for exactly these.
func (s *stack) waitsFor(address string, names ...string) {
	s.t.Helper()
	slices.Sort(names)
	var last map[string]any
	require.Eventually(s.t, func() bool {
		last = s.checks(address)
		return slices.Equal(slices.Sorted(maps.Keys(last)), names)
	}, 20*time.Second, 50*time.Millisecond, "%s should wait for %v and waits for %v", address, names, last)
	for name, found := range last {
		assert.NotEmpty(s.t, found, name)
	}
}

// What gateway and settle wait for while one server is away.
var (
	gatewayWaits = map[string][]string{
		"redis": {"redis", "engine", "node_id", "clock"}, "kafka": {"kafka", "topics", "node_id"},
		"mariadb": {"database", "engine", "topics", "catalogue", "node_id"},
	}
	settleWaits = map[string][]string{
		"redis": {"redis", "engine"}, "kafka": {"kafka", "topics"}, "mariadb": {"database", "engine"},
	}
)

// TestProcessesStartInAnyOrder: with any server away, and with all of them, both processes start, name in /readyz what they
// wait for, end at SIGTERM, and are ready as soon as the last server is back.
func TestProcessesStartInAnyOrder(t *testing.T) {
	redis, kafka, mariadb := harness.Redis(t, "--appendfsync", "always"), harness.Kafka(t), harness.MariaDB(t)
	s := newStack(t, servers{Redis: []*harness.RedisServer{redis}, Kafka: kafka, MariaDB: mariadb}).run(1, 1)
	s.open("rush", lasting(phone(100)))
	bought := 0
	for name, server := range map[string]interface {
		Kill()
		Start()
	}{"redis": redis, "kafka": kafka, "mariadb": mariadb} {
		s.term()
		server.Kill()
		s.Gateways[0].Restart()
		s.Settles[0].Restart()
		s.waitsFor(s.Gateways[0].Operators, gatewayWaits[name]...)
		s.waitsFor(s.Settles[0].Listen, settleWaits[name]...)
		assert.NotEqual(t, http.StatusAccepted, s.buy(ask{buyer: "early"}).status,
			"nothing is sold before every store was reached")
		if name == "kafka" {
			s.term()
			s.Gateways[0].Restart()
			s.Settles[0].Restart()
		}
		server.Start()
		s.ready()
		bought++
		s.sellsOnce("after-" + name)
	}
	s.term()
	for _, server := range []interface{ Kill() }{redis, kafka, mariadb} {
		server.Kill()
	}
	s.Settles[0].Restart()
	s.Gateways[0].Restart()
	s.waitsFor(s.Settles[0].Listen, "redis", "engine", "kafka", "topics", "database")
	s.term() // also while it waits for everything
	s.Gateways[0].Restart()
	for _, server := range []interface{ Start() }{kafka, redis, mariadb} {
		server.Start()
	}
	s.Settles[0].Restart()
	s.ready()
	s.sellsOnce("after-all")
	s.audit("rush")
	require.Len(t, s.orderRows("rush").rows, bought+1)
}

// term asks every process to end; each has to exit 0 soon.
func (s *stack) term() {
	s.t.Helper()
	begin := time.Now()
	for _, p := range s.processes() {
		require.Zero(s.t, p.Term(), "a process that is asked to end exits 0\n%s", p.Stderr())
	}
	assert.Less(s.t, time.Since(begin), 20*time.Second)
}

func (s *stack) processes() (all []*harness.Process) {
	for _, g := range s.Gateways {
		all = append(all, g.Process)
	}
	for _, w := range s.Settles {
		all = append(all, w.Process)
	}
	return all
}

func (s *stack) ready() {
	s.t.Helper()
	for _, g := range s.Gateways {
		g.Ready()
	}
	for _, w := range s.Settles {
		w.Ready()
	}
}

// sellsOnce waits until a buyer gets a unit, which takes longer while a bucket is rebuilt.
func (s *stack) sellsOnce(buyer string) {
	s.t.Helper()
	var last reply
	require.Eventually(s.t, func() bool {
		last = s.buy(ask{buyer: buyer, key: "k"})
		return last.status == http.StatusAccepted || last.status == http.StatusOK
	}, 30*time.Second, 50*time.Millisecond, "%s", last.body)
}

// TestTermAnswersEveryone: after SIGTERM under load a gateway is not ready, answers every request until the last answer of
// each connection closes it, and then ends; every order in an answer has its row.
func TestTermAnswersEveryone(t *testing.T) {
	const buyers = 20_000
	s := newStack(t, servers{}).run(2, 1)
	s.open("rush", lasting(phone(buyers)))
	var sent, cut, taken atomic.Int64
	var asked sync.Once
	ended := make(chan int, 1)
	tokens := make([]string, buyers)
	for i := range tokens {
		tokens[i] = token("buyer-" + strconv.Itoa(i))
	}
	var group sync.WaitGroup
	for worker := range 64 {
		group.Go(func() {
			shopper := &leaver{s: s, gateway: worker % 2}
			defer shopper.close()
			for i := sent.Add(1) - 1; i < buyers; i = sent.Add(1) - 1 {
				status, err := shopper.buy(tokens[i])
				switch {
				case err != nil:
					cut.Add(1)
				case status == http.StatusAccepted:
					taken.Add(1)
				}
				if i > buyers/4 {
					asked.Do(func() { go func() { ended <- s.Gateways[1].Term() }() })
				}
			}
		})
	}
	group.Wait()
	require.Zero(t, <-ended)
	assert.Zero(t, cut.Load(), "requests that were sent and not answered")
	s.audit("rush")
	require.EqualValues(t, taken.Load(), len(s.orderRows("rush").rows))
	require.Positive(t, taken.Load())
}

// leaver buys over one connection at a gateway, and turns to the other one when an answer closes the connection.
type leaver struct {
	s       *stack
	gateway int
	conn    *buyers.Conn
}

func (l *leaver) buy(bearer string) (status int, err error) {
	if l.conn == nil {
		if l.conn, err = buyers.Dial(l.s.Gateways[l.gateway].Buyers); err != nil {
			return 0, err
		}
	}
	request := fmt.Sprintf("POST /v1/sales/rush/items/phone/orders HTTP/1.1\r\nHost: flashsale\r\nAuthorization: Bearer %s\r\n"+
		"Content-Length: 0\r\n\r\n", bearer)
	status, header, _, err := l.conn.Exchange([]byte(request))
	if err != nil || strings.EqualFold(header["connection"], "close") {
		l.close()
		l.gateway = 0
	}
	return status, err
}

func (l *leaver) close() {
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn = nil
	}
}

// TestTermWhileKafkaIsAway: orders that a gateway has answered held and could not publish before its time to end was over
// settle all the same.
func TestTermWhileKafkaIsAway(t *testing.T) {
	kafka := harness.Kafka(t)
	s := newStack(t, servers{Kafka: kafka, Env: []string{"FLASHSALE_GATEWAY_ACK_TIMEOUT=100ms",
		"FLASHSALE_GATEWAY_SHUTDOWN_TIMEOUT=3s"}}).run(1, 1)
	s.open("rush", lasting(phone(100)))
	kafka.Pause()
	var held []order
	for i := range 10 {
		held = append(held, s.taken(ask{buyer: "held-" + strconv.Itoa(i)}))
	}
	begin := time.Now()
	assert.Equal(t, 1, s.Gateways[0].Term(), "the exit code reports orders that were left to the relay")
	assert.Less(t, time.Since(begin), 10*time.Second)
	kafka.Continue()
	s.Gateways[0].Restart()
	s.Gateways[0].Ready()
	for i, o := range held {
		assert.Equal(t, "confirmed", s.becomes(o, "held-"+strconv.Itoa(i), "confirmed").Status)
	}
	s.audit("rush")
}

// TestTermOfSettleHandsOver: a settle process that gets SIGTERM in the middle of its work commits it and releases its
// leases, and the other one takes over without waiting for a timeout.
func TestTermOfSettleHandsOver(t *testing.T) {
	s := newStack(t, servers{}).run(1, 2)
	s.open("rush", lasting(phone(4_000)))
	c := newCrowd(s, "rush", 4_000)
	ended := make(chan time.Duration, 1)
	c.OnTaken(1_000, func() {
		go func() {
			begin := time.Now()
			assert.Zero(t, s.Settles[0].Term())
			ended <- time.Since(begin)
		}()
	})
	c.rush(c.presses(12, 0, []string{"phone"}, single))
	assert.Less(t, <-ended, 10*time.Second)
	b := c.check(1, map[string]int{"phone": 4_000})
	require.Len(t, b.rows, 4_000)
	begin := time.Now()
	first := c.purchases()[0]
	o := order{OrderID: first.Order().Order, Sale: "rush", SKU: "phone"}
	require.Equal(t, 200, s.cancel(o, first.Buyer).status)
	require.Eventually(t, func() bool { return s.buy(ask{buyer: "next"}).status == http.StatusAccepted }, 20*time.Second,
		20*time.Millisecond)
	assert.Less(t, time.Since(begin), 5*time.Second, "the outbox applier's lease was released")
	s.Settles = s.Settles[1:]
	s.waitingEvents(0)
}
