package chaos

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flashsale/test/chaos/clock"
	"flashsale/test/chaos/link"
	"flashsale/test/harness"
)

// Secrets of the deployment under test.
const (
	secret     = "0123456789abcdef0123456789abcdef-chaos"
	adminToken = "operators-token-chaos"
	shopToken  = "the-shops-token-chaos"
)

// How many of each; one must be able to die while others go on.
const (
	gatewayCount = 2
	settleCount  = 2
	brokerCount  = 3
	schema       = "chaos"
	namespace    = "chaos"
	partitions   = 4
)

// world is one deployment: servers, our processes, and the wires between them.
type world struct {
	t        testing.TB
	bin      string
	dir      string // histories and clocks
	redis    *redisPair
	kafka    []*harness.KafkaNode
	mariadb  *harness.MariaDBServer
	gateways []*process
	settles  []*process
	wires    []*wire                    // all of them, for link faults
	books    *sql.DB                    // past every wire
	from     map[string]map[int32]int64 // where the topics of the present round begin
	sales    []*saleUnderTest           // of the present round
	bug      string                     // the seeded bug that our processes run with, empty for none
}

// process is one of ours, with wires and a clock of its own.
type process struct {
	*harness.Process
	name      string
	gateway   int    // its number, noGateway for settle
	listen    string // buyers or probes
	buyers    string // gateways only: the wire to its listener
	operators string // gateways only
	clock     string // the file that holds its offset
}

// wire is a link with a name for the log.
type wire struct {
	*link.Link
	name string
}

// newWorld starts everything and waits until it is ready.
func newWorld(t testing.TB, bug string) *world {
	w := &world{t: t, dir: t.TempDir(), bug: bug}
	w.build()
	w.redis = newRedisPair(w)
	w.mariadb = harness.MariaDB(t)
	w.kafka = harness.KafkaCluster(t, brokerCount, func(direct string) string {
		return w.newWire("kafka "+direct, direct).Addr()
	})
	w.books = w.mariadb.Open(t, schema)
	env := w.environment(w.redis.primary.Addr, w.mariadb.Addr)
	if result := harness.Run(t, "", w.bin, env, "migrate"); result.Code != 0 {
		t.Fatalf("migrate: %s%s", result.Stdout, result.Stderr)
	}
	for i := range gatewayCount {
		w.gateways = append(w.gateways, w.start("gateway", i))
	}
	for i := range settleCount {
		w.settles = append(w.settles, w.start("settle", i))
	}
	for _, p := range w.processes() {
		p.ready()
	}
	return w
}

// build makes a binary whose clock can be set, and that can misbehave when that is asked for.
func (w *world) build() {
	w.bin = filepath.Join(w.dir, "flashsale")
	var more []string
	if w.bug != "" {
		more = []string{"-tags", "faults"}
	}
	if err := clock.Build(harness.Root(w.t), filepath.Join(cacheFolder(), "clock"), w.bin, more...); err != nil {
		w.t.Fatal(err)
	}
}

// cacheFolder is where compiled overlays outlive the run.
func cacheFolder() string {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	return filepath.Join(base, "flashsale-test")
}

// newWire makes a link that link faults may choose.
func (w *world) newWire(name, target string) *wire {
	l, err := link.New(harness.Address(w.t), target)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = l.Close() }) // at the end of everything
	made := &wire{l, name}
	w.wires = append(w.wires, made)
	return made
}

func (w *world) environment(redis, mariadb string) []string {
	brokers := make([]string, len(w.kafka))
	for i, n := range w.kafka {
		brokers[i] = n.Brokers[0]
	}
	return []string{
		"FLASHSALE_NAMESPACE=" + namespace,
		"FLASHSALE_REDIS_ADDRS=" + redis,
		"FLASHSALE_KAFKA_BROKERS=" + strings.Join(brokers, ","),
		"FLASHSALE_KAFKA_PARTITIONS=" + fmt.Sprint(partitions),
		"FLASHSALE_KAFKA_REPLICATION=" + fmt.Sprint(brokerCount),
		"FLASHSALE_MYSQL_DSN=" + strings.Replace(w.mariadb.DSN(schema), w.mariadb.Addr, mariadb, 1),
		"FLASHSALE_ADMIN_TOKEN=" + adminToken,
		"FLASHSALE_SHOP_TOKEN=" + shopToken,
		"FLASHSALE_AUTH_HS256_SECRET=" + secret,
	}
}

func (w *world) start(command string, i int) *process {
	p := &process{name: fmt.Sprintf("%s %d", command, i), gateway: noGateway, listen: harness.Address(w.t)}
	p.clock = filepath.Join(w.dir, fmt.Sprintf("clock-%s-%d", command, i))
	if err := clock.Set(p.clock, 0); err != nil {
		w.t.Fatal(err)
	}
	env := w.environment(w.redis.wire(p.name).Addr(), w.newWire(p.name+" to mariadb", w.mariadb.Addr).Addr())
	env = append(env, clock.Variable+"="+p.clock, "FLASHSALE_BUG="+w.bug)
	if command == "gateway" {
		p.gateway = i
		p.operators = harness.Address(w.t)
		p.buyers = w.newWire("buyers to "+p.name, p.listen).Addr()
		env = append(env, "FLASHSALE_GATEWAY_LISTEN="+p.listen, "FLASHSALE_ADMIN_LISTEN="+p.operators)
	} else {
		env = append(env, "FLASHSALE_SETTLE_LISTEN="+p.listen)
	}
	p.Process = harness.Start(w.t, w.bin, env, command)
	return p
}

// deed is what was done to the process.
func (p *process) deed(heal func(), told string) deed {
	return deed{heal: heal, told: told, gateway: p.gateway}
}

func (p *process) ready() { p.WaitReady("http://" + p.listen + "/readyz") }

func (w *world) processes() []*process {
	return append(append([]*process{}, w.gateways...), w.settles...)
}

// healed waits until every process says that it is ready.
func (w *world) healed() {
	for _, wire := range w.wires {
		wire.Heal()
	}
	for _, p := range w.processes() {
		p.ready()
	}
}

// command runs a command of the binary; it reaches the operators' API of the first gateway.
func (w *world) command(args ...string) harness.Result {
	env := []string{"FLASHSALE_ADMIN_URL=http://" + w.gateways[0].operators, "FLASHSALE_ADMIN_TOKEN=" + adminToken}
	return harness.Run(w.t, "", w.bin, env, args...)
}
