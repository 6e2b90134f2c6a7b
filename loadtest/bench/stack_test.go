package bench

import (
	"cmp"
	"database/sql"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/loadtest"
	"flashsale/test/harness"
	deployed "flashsale/test/stack"
)

// Variables that make this test binary a baseline server on the given address: a separate process, as the gateway is.
const (
	bareVariable     = "FLASHSALE_TEST_BARE"
	oneByOneVariable = "FLASHSALE_TEST_ONE_BY_ONE"
	redisVariable    = "FLASHSALE_TEST_ONE_BY_ONE_REDIS"
)

func TestMain(m *testing.M) {
	serve, address := ServeBare, os.Getenv(bareVariable)
	if one := os.Getenv(oneByOneVariable); one != "" {
		address, serve = one, func(l net.Listener) error { return ServeOneByOne(l, os.Getenv(redisVariable)) }
	}
	if address == "" {
		harness.Main(m)
		return
	}
	listener, err := net.Listen("tcp", address)
	if err == nil {
		err = serve(listener)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

const namespace = "bench"

// deployment describes how a stack differs from the usual one.
type deployment struct {
	nodes    int            // Redis nodes; above 1 they are a cluster
	homes    map[string]int // keys, and the nodes that must have them
	redis    []string       // further options of redis-server
	settings []string       // further settings of our processes, "FLASHSALE_…=…"

	// Where several deployments stand side by side, each has a name and a Redis, and they share the other servers.
	name    string
	server  *harness.RedisServer
	kafka   *harness.KafkaServer
	mariadb *harness.MariaDBServer
}

// complete fills in what the deployment does not share.
func (d deployment) complete(b *testing.B) deployment {
	d.name = cmp.Or(d.name, namespace)
	if d.kafka == nil {
		d.kafka = harness.Kafka(b, brokerJVM...)
	}
	if d.mariadb == nil {
		d.mariadb = harness.MariaDB(b)
	}
	return d
}

// stack is one deployment with private servers, so that nothing else shares what is measured.
type stack struct {
	*deployed.Stack
	b             *testing.B
	db            *sql.DB
	gateway       *deployed.Process
	settle        *deployed.Process
	bare          *harness.Process
	bareAt        string
	signer        *loadtest.Signer
	buyers        int    // tokens made so far
	sales         int    // opened for one repetition each
	asks          asking // what presses ask for
	keyed         bool   // presses carry keys
	ruled, warmed bool
	rate          float64 // the greatest that was measured, orders/s
}

// newStack starts every process of a deployment; there is no sale yet.
func newStack(b *testing.B, d deployment) *stack {
	s := &stack{b: b, asks: one("phone"), bareAt: harness.Address(b)}
	d = d.complete(b)
	s.Stack = deployed.New(b, deployed.Options{Name: d.name, Redis: startRedis(b, d), Kafka: d.kafka, MariaDB: d.mariadb,
		Env: d.settings}).Migrate().Run(1, 1)
	s.gateway, s.settle = s.Gateways[0], s.Settles[0]
	signer, err := loadtest.NewSigner([]byte(deployed.Secret), "", "")
	require.NoError(b, err)
	s.signer = signer
	s.bare = s.startBaseline(s.bareAt, bareVariable+"="+s.bareAt)
	s.db = s.DB()
	return s
}

// startBaseline starts this test binary as the baseline in the variables.
func (s *stack) startBaseline(address string, variables ...string) *harness.Process {
	s.b.Helper()
	self, err := os.Executable()
	require.NoError(s.b, err)
	process := harness.Start(s.b, self, variables)
	process.WaitReady("http://" + address + barePrefix + "0")
	return process
}

func startRedis(b *testing.B, d deployment) []*harness.RedisServer {
	if d.server != nil {
		return []*harness.RedisServer{d.server}
	}
	if d.nodes > 1 {
		nodes := harness.RedisCluster(b, d.nodes, d.redis...)
		placeKeys(b, nodes, d.homes)
		return nodes
	}
	return []*harness.RedisServer{harness.Redis(b, d.redis...)}
}

// openUsual opens the sales "gone" (1,000 units) and "rush" (more than will be sold), each of one SKU "phone".
func (s *stack) openUsual() {
	s.b.Helper()
	s.openSale("gone", 1000)
	s.openSale("rush", 10_000_000)
}

// run runs a command of the binary that has to succeed.
func (s *stack) run(input string, args ...string) {
	s.b.Helper()
	s.SucceedWith(input, args...)
}

// openSale opens a sale of the SKU "phone". Further members of the definition come as "NAME":VALUE.
func (s *stack) openSale(id string, stock int, members ...string) {
	s.b.Helper()
	s.createSale(id, fmt.Sprintf(`[{"sku":"phone","stock":%d,"price_cents":129900}]`, stock), members...)
	s.run("", "sale", "preload", id)
	s.open(id)
}

// createSale defines a sale whose window is open; items is the array of its definition.
func (s *stack) createSale(id, items string, members ...string) {
	s.b.Helper()
	now := time.Now()
	members = append(members, `"items":`+items)
	s.run(fmt.Sprintf(`{"name":%q,"starts_at":%q,"ends_at":%q,%s}`, id, now.Add(-time.Hour).Format(time.RFC3339),
		now.Add(24*time.Hour).Format(time.RFC3339), strings.Join(members, ",")), "sale", "create", id, "-f", "-")
}

// open opens a preloaded sale and waits until the gateway sells.
func (s *stack) open(id string) {
	s.b.Helper()
	s.run("", "sale", "open", id)
	view := []byte("GET /v1/sales/" + id + " HTTP/1.1\r\nHost: bench\r\n\r\n")
	require.Eventually(s.b, func() bool { // a gateway may learn of it a second later
		answer, err := Ask(s.gateway.Listen, view)
		return err == nil && strings.Contains(answer.Body, `"state":"open"`)
	}, 10*time.Second, 10*time.Millisecond)
}

// setRules sets a rule of every kind, none of which refuses anything; before, only the buyers' limit exists.
func (s *stack) setRules() {
	s.b.Helper()
	if s.ruled {
		return
	}
	s.ruled = true
	s.run(`{"flow":[{"resource":"purchase","qps":1000000}],"isolation":[{"resource":"purchase","concurrency":100000}],
"circuit_breaker":[{"resource":"redis","strategy":"slow_ratio","threshold":1,"max_rt_ms":10000,"window_ms":1000,
"min_requests":1000,"retry_ms":1000},
{"resource":"kafka","strategy":"error_ratio","threshold":1,"window_ms":1000,"min_requests":1000,"retry_ms":1000}],
"buyer":{"per_second":1000,"burst":1000},"address":{"per_second":1000000,"burst":1000000}}`, "rules", "put", "-f", "-")
}

// presses makes n presses of new buyers, each with its own token, and with a key when keyed.
func (s *stack) presses(saleID string, n int) *Requests {
	s.b.Helper()
	return s.pressesFor(s.asks, saleID, n)
}

// pressesFor is presses for what is asked.
func (s *stack) pressesFor(asks asking, saleID string, n int) *Requests {
	s.b.Helper()
	requests := &Requests{}
	now := time.Now()
	for range n {
		s.buyers++
		token, err := s.signer.Token(fmt.Sprint("bench-", s.buyers), 24*time.Hour, now)
		require.NoError(s.b, err)
		key := ""
		if s.keyed {
			key = fmt.Sprint("press-", s.buyers)
		}
		requests.Add(asks(s.gateway.Listen, saleID, token, key))
	}
	return requests
}

// settled returns the settled units of a sale in the database.
func (s *stack) settled(saleID string) int64 {
	s.b.Helper()
	var units int64
	require.NoError(s.b, s.db.QueryRowContext(s.b.Context(), "SELECT SUM(settled) FROM stock WHERE sale_id = ?",
		saleID).Scan(&units))
	return units
}

// waitSettled waits until the database has all units of a sale.
func (s *stack) waitSettled(saleID string, units int64) {
	s.b.Helper()
	require.Eventually(s.b, func() bool { return s.settled(saleID) >= units }, 2*time.Minute, 5*time.Millisecond)
}
