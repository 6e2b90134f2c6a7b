package chaos

import (
	"database/sql"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flashsale/test/bugs"
	"flashsale/test/harness"
	"flashsale/test/stack"
	"flashsale/test/stack/clock"
)

// Processes of each kind: one may die while others serve.
const (
	gatewayCount = 2
	settleCount  = 2
	brokerCount  = 3
	namespace    = "chaos"
	partitions   = 4
)

// world is the deployment under test with the servers that the nemesis breaks. Every process has wires and a clock of its
// own.
type world struct {
	*stack.Stack
	t          testing.TB
	dir        string // histories
	partitions int    // of each topic
	redis      *redisPair
	kafka      []*harness.KafkaNode
	wires      *stack.Wires
	db         *sql.DB                    // past every wire
	from       map[string]map[int32]int64 // where the topics of the present round begin
	sales      []*saleUnderTest           // of the present round
	ended      []string                   // sales of earlier rounds that are to be archived
}

// newWorld starts the deployment, with a seeded bug unless it is "", and waits until it is ready.
func newWorld(t testing.TB, bug string) *world {
	w := &world{t: t, dir: t.TempDir(), partitions: partitions, wires: stack.NewWires(t)}
	w.redis = newRedisPair(w)
	w.kafka = harness.KafkaCluster(t, brokerCount, func(direct string) string {
		return w.wires.New("kafka "+direct, direct).Addr()
	})
	var brokers harness.KafkaServer
	for _, n := range w.kafka {
		brokers.Brokers = append(brokers.Brokers, n.Brokers...)
	}
	w.Stack = stack.New(t, stack.Options{Name: namespace, Build: build(t, bug), Wires: w.wires, Clocks: true, Kafka: &brokers,
		Redis: []*harness.RedisServer{w.redis.primary}, MariaDB: harness.MariaDB(t), Env: []string{
			"FLASHSALE_KAFKA_PARTITIONS=" + strconv.Itoa(partitions),
			"FLASHSALE_KAFKA_REPLICATION=" + strconv.Itoa(brokerCount), "FLASHSALE_BUG=" + bug,
		}})
	w.db = w.DB()
	w.Migrate().Run(gatewayCount, settleCount)
	return w
}

// build describes the binary under test: with settable clocks, and with the seeded bug when one is named.
func build(t testing.TB, bug string) harness.Build {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	overlay, err := clock.Overlay(filepath.Join(base, "flashsale-test", "clock"))
	if err != nil {
		t.Fatal(err)
	}
	if bug == "" {
		return harness.Build{Overlay: overlay}
	}
	if !slices.Contains(bugs.Names(), bug) {
		t.Fatalf("-bug %s: there is no bug of this name, only %s", bug, strings.Join(bugs.Names(), ", "))
	}
	seeded, err := bugs.Overlay(harness.Root(t), t.TempDir(), bugs.Bugs())
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(overlay, seeded)
	return harness.Build{Args: []string{"-tags", "faults"}, Overlay: overlay}
}

func (w *world) ordersTopic() string { return w.Name + ".orders" }
func (w *world) eventsTopic() string { return w.Name + ".events" }

// healed waits until every process is ready.
func (w *world) healed() {
	w.wires.Heal()
	for _, p := range w.Processes() {
		p.Ready()
	}
}
