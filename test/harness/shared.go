package harness

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
)

// Variables that name a server which runs already.
const (
	redisVariable = "FLASHSALE_TEST_REDIS"
	kafkaVariable = "FLASHSALE_TEST_KAFKA"
)

// shared holds the servers that all tests of this process use, started at their first use and ended by Main. A test process
// is one package and has one set of servers: this is the only place where package state is intended.
var shared struct {
	sync.Mutex
	redis    *RedisServer
	nodes    []*RedisServer // of a cluster
	watched  *Sentinels
	mariadb  *MariaDBServer
	kafka    *KafkaServer
	binaries map[string]string // by their Build
	lasting  *lasting
}

// lasting replaces the test that owns a server, for shared servers: its cleanups run at the end of Main. It has only the
// methods that servers call on their owner; any other method dereferences nil.
type lasting struct {
	testing.TB
	cleanups []func()
	failed   bool
}

func (l *lasting) Helper()                           {}
func (l *lasting) Cleanup(f func())                  { l.cleanups = append(l.cleanups, f) }
func (l *lasting) Failed() bool                      { return l.failed }
func (l *lasting) Logf(format string, args ...any)   { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (l *lasting) Errorf(format string, args ...any) { l.failed = true; l.Logf(format, args...) }
func (l *lasting) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (l *lasting) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }

// owner returns the one lasting; the caller has locked shared.
func owner() *lasting {
	if shared.lasting == nil {
		shared.lasting = &lasting{}
	}
	return shared.lasting
}

// Main runs the tests of a package and ends its shared servers: func TestMain(m *testing.M) { harness.Main(m) }.
func Main(m *testing.M) {
	code := m.Run()
	if !Close(code == 0) && code == 0 {
		code = 1
	}
	os.Exit(code)
}

// Close ends the shared servers and removes their folders, or keeps the folders when the tests did not pass. It reports
// whether all ended in order. Main calls it; a package with a TestMain of its own does so itself.
func Close(passed bool) bool {
	shared.Lock()
	defer shared.Unlock()
	l := owner()
	l.failed = !passed
	if shared.mariadb != nil && shared.mariadb.process == nil { // from the environment
		if err := shared.mariadb.dropSchemas(); err != nil {
			l.Errorf("drop the schemas of this run: %v", err)
		}
	}
	for i := len(l.cleanups) - 1; i >= 0; i-- {
		l.cleanups[i]()
	}
	shared.redis, shared.nodes, shared.watched, shared.mariadb, shared.kafka = nil, nil, nil, nil, nil
	shared.binaries, shared.lasting = nil, nil
	return l.failed == !passed
}

// SharedRedis returns the Redis of this test process.
func SharedRedis(t testing.TB) *RedisServer {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.redis == nil {
		foreign := func(address string) (*RedisServer, error) { return &RedisServer{Addr: address}, nil }
		own := func() (*RedisServer, error) { return newRedis(owner(), nil) }
		shared.redis = obtain(t, redisVariable, foreign, own, func(s *RedisServer) *server { return &s.server })
	}
	return shared.redis
}

// SharedRedisNodes returns the Redis of this test process for a deployment: the nodes of a cluster where the environment
// chooses one, else the one of SharedRedis.
func SharedRedisNodes(t testing.TB) []*RedisServer {
	t.Helper()
	if !chosenLayout(t, RoleRedis, clustered, redisVariable) {
		return []*RedisServer{SharedRedis(t)}
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.nodes == nil {
		shared.nodes = RedisClusterWithReplicas(owner(), 3)
	}
	return shared.nodes
}

// SharedSentinels returns the Sentinels of this test process for a deployment, or nil where the environment does not choose
// them.
func SharedSentinels(t testing.TB) *Sentinels {
	t.Helper()
	if !chosenLayout(t, RoleRedis, watched, redisVariable) {
		return nil
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.watched == nil {
		shared.watched = SentinelSet(owner(), 1)
	}
	return shared.watched
}

// chosenLayout reports whether the harness starts the servers of a role, because the variable of foreign ones is not set, and
// the environment chooses this layout of them.
func chosenLayout(t testing.TB, role, layout, foreign string) bool {
	t.Helper()
	kind, err := Chosen(role)
	if err != nil {
		t.Fatal(err)
	}
	return kind.several(layout) && os.Getenv(foreign) == ""
}

// SharedMariaDB returns the database server of this test process.
func SharedMariaDB(t testing.TB) *MariaDBServer {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.mariadb == nil {
		own := func() (*MariaDBServer, error) { return newMariaDB(owner(), nil) }
		shared.mariadb = obtain(t, "FLASHSALE_TEST_MYSQL", foreignMariaDB, own,
			func(s *MariaDBServer) *server { return &s.server })
	}
	return shared.mariadb
}

// SharedKafka returns the Kafka of this test process.
func SharedKafka(t testing.TB) *KafkaServer {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.kafka == nil {
		own := func() (*KafkaServer, error) { return newKafka(owner(), nil) }
		if chosenLayout(t, RoleKafka, clustered, kafkaVariable) {
			shared.kafka = &KafkaServer{}
			for _, node := range KafkaCluster(owner(), 3, func(direct string) string { return direct }) {
				shared.kafka.Brokers = append(shared.kafka.Brokers, node.Direct)
			}
			return shared.kafka
		}
		shared.kafka = obtain(t, kafkaVariable, foreignKafka, own, func(s *KafkaServer) *server { return &s.server })
	}
	return shared.kafka
}

// obtain takes a server from the environment, else starts one of the process's own.
func obtain[S any](t testing.TB, environment string, foreign func(string) (S, error), own func() (S, error),
	part func(S) *server) S {
	t.Helper()
	if address := os.Getenv(environment); address != "" {
		s, err := foreign(address)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, err := own()
	if err == nil {
		err = launchShared(part(s))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func launchShared(s *server) error {
	if err := s.launch(); err != nil {
		if s.process.cmd != nil {
			err = errors.Join(err, s.process.cmd.Process.Kill())
		}
		return err
	}
	s.shared = true
	owner().Cleanup(func() { s.process.end(syscall.SIGKILL) })
	return nil
}
