package e2e

import (
	"database/sql"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	secret     = "0123456789abcdef0123456789abcdef-e2e"
	adminToken = "operators-token-e2e"
	shopToken  = "the-shops-token-e2e"
)

// stack is one deployment: the servers it uses and the processes of ours that run on them.
type stack struct {
	t        testing.TB
	bin      string
	env      []string
	redis    []*harness.RedisServer
	kafka    *harness.KafkaServer
	mariadb  *harness.MariaDBServer
	schema   string
	gateways []*gateway
	settles  []*worker
	base     string // namespace
}

// gateway is one running gateway with its two listeners.
type gateway struct {
	*harness.Process
	buyers, operators string // host:port
}

// worker is one running settle process.
type worker struct {
	*harness.Process
	listen string
}

// servers of a stack; what is nil is the shared one of the package.
type servers struct {
	redis   []*harness.RedisServer
	kafka   *harness.KafkaServer
	mariadb *harness.MariaDBServer
	env     []string // further settings
	limited bool     // keep the default limit of a buyer, which is off otherwise: the tests press with few buyers
}

// newStack migrates an empty deployment without starting its processes.
func newStack(t testing.TB, with servers) *stack {
	t.Helper()
	if with.redis == nil {
		with.redis = []*harness.RedisServer{harness.SharedRedis(t)}
	}
	if with.kafka == nil {
		with.kafka = harness.SharedKafka(t)
	}
	if with.mariadb == nil {
		with.mariadb = harness.SharedMariaDB(t)
	}
	name := strings.ToLower(t.Name()) + "-" + strconv.FormatInt(time.Now().UnixMilli(), 36) // a run of its own each time
	s := &stack{t: t, bin: harness.Binary(t), redis: with.redis, kafka: with.kafka, mariadb: with.mariadb,
		schema: name, base: name}
	s.env = append([]string{
		"FLASHSALE_NAMESPACE=" + s.base,
		"FLASHSALE_REDIS_ADDRS=" + addresses(with.redis),
		"FLASHSALE_KAFKA_BROKERS=" + strings.Join(with.kafka.Brokers, ","),
		"FLASHSALE_MYSQL_DSN=" + with.mariadb.DSN(name),
		"FLASHSALE_ADMIN_TOKEN=" + adminToken,
		"FLASHSALE_SHOP_TOKEN=" + shopToken,
		"FLASHSALE_AUTH_HS256_SECRET=" + secret,
	}, with.env...)
	s.succeed("migrate")
	if !with.limited {
		_, err := s.db().ExecContext(t.Context(), `UPDATE rules SET body = '{"buyer":null}' WHERE id = 1`)
		require.NoError(t, err)
	}
	return s
}

func addresses(redis []*harness.RedisServer) string {
	var all []string
	for _, r := range redis {
		all = append(all, r.Addr)
	}
	return strings.Join(all, ",")
}

// run starts gateways and settle processes and waits until all are ready.
func (s *stack) run(gateways, settles int) *stack {
	s.t.Helper()
	s.launch(gateways, settles)
	for _, g := range s.gateways {
		g.ready()
	}
	for _, w := range s.settles {
		w.ready()
	}
	return s
}

// launch starts gateways and settle processes; whether they become ready is another question.
func (s *stack) launch(gateways, settles int) {
	s.t.Helper()
	for range gateways {
		g := &gateway{buyers: harness.Address(s.t), operators: harness.Address(s.t)}
		env := append(append([]string{}, s.env...), "FLASHSALE_GATEWAY_LISTEN="+g.buyers, "FLASHSALE_ADMIN_LISTEN="+g.operators)
		g.Process = harness.Start(s.t, s.bin, env, "gateway")
		s.gateways = append(s.gateways, g)
	}
	for range settles {
		w := &worker{listen: harness.Address(s.t)}
		w.Process = harness.Start(s.t, s.bin, append(append([]string{}, s.env...), "FLASHSALE_SETTLE_LISTEN="+w.listen), "settle")
		s.settles = append(s.settles, w)
	}
}

func (g *gateway) ready() { g.WaitReady("http://" + g.buyers + "/readyz") }
func (w *worker) ready()  { w.WaitReady("http://" + w.listen + "/readyz") }

// command runs a command of the binary against this stack.
func (s *stack) command(args ...string) harness.Result {
	s.t.Helper()
	return s.commandWith("", args...)
}

// commandWith runs a command with text on its standard input.
func (s *stack) commandWith(input string, args ...string) harness.Result {
	s.t.Helper()
	env := append([]string{}, s.env...)
	if len(s.gateways) > 0 {
		env = append(env, "FLASHSALE_ADMIN_URL=http://"+s.gateways[0].operators)
	}
	return harness.Run(s.t, input, s.bin, env, args...)
}

// succeed runs a command that has to exit 0 and returns its standard output.
func (s *stack) succeed(args ...string) string {
	s.t.Helper()
	result := s.command(args...)
	require.Zero(s.t, result.Code, "flashsale %s\n%s\n%s", strings.Join(args, " "), result.Stdout, result.Stderr)
	return result.Stdout
}

// db opens the database of the stack, for checks that read rows past the code under test.
func (s *stack) db() *sql.DB {
	s.t.Helper()
	return s.mariadb.Open(s.t, s.schema)
}
