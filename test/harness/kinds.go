package harness

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// ServersVariable names the environment variable that chooses the kinds of servers, one of each role at most, such as
// "database=mysql-9.7,redis=valkey-9.1,kafka=kafka-4.4". A role that it does not name has its first kind.
const ServersVariable = "FLASHSALE_TEST_SERVERS"

// Roles of a server in a deployment.
const (
	RoleDatabase = "database"
	RoleRedis    = "redis"
	RoleKafka    = "kafka"
)

// These end the name of a kind that runs as several nodes, each a server of the kind without it.
const (
	clustered = "-cluster"
	watched   = "-sentinel" // by Sentinels, which replace a primary that is gone
)

// Kind is a kind of server that the suites run on.
type Kind struct {
	Name    string // in FLASHSALE_TEST_SERVERS
	Role    string
	Product string // as its makers spell it
	Version string // what the version that the server reports must begin with
	Source  string // where the harness takes it from
	About   string // what an operator might take it for and it is not, or ""
}

const fromMaven = "Maven: org.apache.kafka"

// kinds lists every kind. The first of a role is the default: what `make test` runs on.
var kinds = []Kind{
	{"mariadb-10.11", RoleDatabase, "MariaDB", "10.11.", "this machine's package mariadb-server-core", ""},
	{"mariadb-11.8", RoleDatabase, "MariaDB", "11.8.", "Debian trixie: mariadb-server-core", ""},
	{"mysql-9.7", RoleDatabase, "MySQL", "9.7.", "Debian sid: mysql-server-core", ""},
	{"galera-10.11", RoleDatabase, "MariaDB Galera", "10.11.", "Debian bookworm: mariadb-server-core, galera-4",
		"three nodes; every other process writes to the second one"},
	{"tidb-8", RoleDatabase, "TiDB", "8.0.11-TiDB-", "Go module github.com/pingcap/tidb",
		"one process with the store `unistore`, which is a double of TiKV and not TiKV"},
	{"redis-7.0", RoleRedis, "Redis", "7.0.", "this machine's package redis-server", ""},
	{"redis-7.0" + clustered, RoleRedis, "Redis Cluster", "7.0.", "this machine's package redis-server", redisNodes},
	{"redis-7.0" + watched, RoleRedis, "Redis Sentinel", "7.0.", "this machine's package redis-server",
		"three Sentinels, a primary and a replica"},
	{"redis-8.0", RoleRedis, "Redis", "8.0.", "Debian trixie: redis-server", ""},
	{"redis-8.0" + clustered, RoleRedis, "Redis Cluster", "8.0.", "Debian trixie: redis-server", redisNodes},
	{"valkey-9.1", RoleRedis, "Valkey", "9.1.", "Debian sid: valkey-server", ""},
	{"valkey-9.1" + clustered, RoleRedis, "Valkey cluster", "9.1.", "Debian sid: valkey-server", redisNodes},
	{"kafka-4.1", RoleKafka, "Kafka", "4.1.", fromMaven, ""},
	{"kafka-4.4", RoleKafka, "Kafka", "4.4.", fromMaven, ""},
	{"kafka-4.4" + clustered, RoleKafka, "Kafka", "4.4.", fromMaven, "three brokers, two of them in sync for a write"},
}

const redisNodes = "three masters, each with a replica"

// Kinds returns every kind, the default of each role first.
func Kinds() []Kind { return slices.Clone(kinds) }

// Chosen returns the kind of a role that the environment names, else the default one.
func Chosen(role string) (Kind, error) {
	for entry := range strings.SplitSeq(os.Getenv(ServersVariable), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(entry), "=")
		switch {
		case name == "" && value == "":
		case !slices.Contains([]string{RoleDatabase, RoleRedis, RoleKafka}, name):
			return Kind{}, fmt.Errorf("%s: %q is not a role: database, redis or kafka", ServersVariable, name)
		case name == role:
			return kindOf(role, value)
		}
	}
	first := slices.IndexFunc(kinds, func(k Kind) bool { return k.Role == role })
	return kinds[first], nil
}

func kindOf(role, name string) (Kind, error) {
	var known []string
	for _, k := range kinds {
		if k.Role == role && k.Name == name {
			return k, nil
		}
		if k.Role == role {
			known = append(known, k.Name)
		}
	}
	return Kind{}, fmt.Errorf("%s: %s=%q is none of %s", ServersVariable, role, name, strings.Join(known, ", "))
}

// base returns the name of the kind of one node.
func (k Kind) base() string {
	return strings.TrimSuffix(strings.TrimSuffix(k.Name, clustered), watched)
}

// several reports whether the kind's name ends so.
func (k Kind) several(layout string) bool { return strings.HasSuffix(k.Name, layout) }

// suits returns an error when a server reports another version than its kind's name says: a release of Debian that moves
// on must not change in silence what a result is about.
func (k Kind) suits(version string) error {
	if strings.HasPrefix(version, k.Version) {
		return nil
	}
	return fmt.Errorf("%s is version %s: its source has moved on, and %s needs a row of its own", k.Name, version, version)
}
