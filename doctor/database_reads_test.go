package doctor

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// pairWorld is a primary and a replica that follows it, with the tables that buyers' look-ups read.
type pairWorld struct {
	*databaseWorld
	replica *harness.MariaDBServer
	read    string // the replica's DSN, of the superuser
}

func newPair(t *testing.T) *pairWorld {
	t.Helper()
	primary, replica := harness.MariaDBPair(t)
	w := &pairWorld{&databaseWorld{T: t, server: primary, flavour: "MariaDB", root: primary.Open(t, "shop"),
		schema: &schema{tables: []string{"gateways", "items", "orders", "replica_beat", "sales", "stock"},
			lookups: []string{"orders", "replica_beat", "sales"}}}, replica, ""}
	w.read = replica.At(primary.DSN("shop"), primary)
	w.o = only(t, Options{DSN: primary.DSN("shop"), ReadDSN: w.read, ReadMaxLag: 500 * time.Millisecond, Schema: w.schema},
		Database)
	return w
}

// follows waits until the replica has what the primary has.
func (w *pairWorld) follows() {
	w.Helper()
	require.Eventually(w, func() bool {
		found := w.look().finding(Database, "read_follows")
		return len(found) == 1 && found[0].Level == OK
	}, soon, often)
}

func (w *pairWorld) migrate() {
	w.Helper()
	w.databaseWorld.migrate()
	w.run("CREATE TABLE orders (order_id BIGINT PRIMARY KEY) ENGINE = InnoDB COLLATE = utf8mb4_bin",
		"CREATE TABLE replica_beat (id INT PRIMARY KEY, beat BIGINT) ENGINE = InnoDB COLLATE = utf8mb4_bin",
		"INSERT INTO replica_beat VALUES (1, 7)")
}

// beats raises the beat as a settling process does, until end is called.
func (w *pairWorld) beats() (end func()) {
	ctx, cancel := context.WithCancel(w.Context())
	var beating sync.WaitGroup
	beating.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			_, err := w.root.ExecContext(w.Context(), "UPDATE replica_beat SET beat = beat + 1 WHERE id = 1")
			assert.NoError(w, err)
			<-tick.C
		}
	})
	return func() { cancel(); beating.Wait() }
}

// A replica that follows is fine, before and after the migration; whatever is wrong with it is a warning, never a danger, because
// orders are read from the primary without it.
func TestReplicaForReads(t *testing.T) {
	w := newPair(t)
	found := func(check string) Finding { return worst(t, w.look(), Database, check) }
	w.follows()
	require.Contains(t, found("read_follows").Found, "before flashsale migrate")
	w.migrate()
	w.follows()
	for _, check := range []string{"read_answers", "read_server", "read_rights", "read_writable"} {
		require.Equal(t, OK, found(check).Level, "%+v", found(check))
	}
	require.Contains(t, found("read_follows").Found, "has the last beat, 7, which no process raises now")

	w.run("INSERT INTO gateways VALUES ('g', UNIX_TIMESTAMP() * 1000)")
	require.Equal(t, Warning, found("read_follows").Level, "gateways run, and nothing raises the beat")
	end := w.beats()
	w.follows()
	require.Contains(t, found("read_follows").Found, "ms behind at most")
	w.replica.Exec(t, "STOP SLAVE")
	late := found("read_follows")
	require.Equal(t, Warning, late.Level, "%+v", late)
	require.Contains(t, late.Found, "its replication does not run")
	require.Contains(t, late.Mend, "SHOW REPLICA STATUS")
	end()
	w.replica.Exec(t, "START SLAVE")
	w.run("DELETE FROM gateways")
	w.follows()

	w.replica.Exec(t, "SET GLOBAL read_only = OFF")
	require.Equal(t, Warning, found("read_writable").Level)
	w.replica.Exec(t, strings.TrimSpace(strings.Split(found("read_writable").Mend, "--")[0]))
	require.Equal(t, OK, found("read_writable").Level)

	w.replica.Exec(t, "STOP SLAVE")
	w.replica.Exec(t, "RESET SLAVE ALL")
	require.Contains(t, found("read_follows").Found, "follows no server")
	w.replica.Exec(t, "UPDATE shop.replica_beat SET beat = 1000000")
	require.Contains(t, found("read_follows").Found, "does not follow")
	w.replica.Exec(t, "DROP TABLE shop.replica_beat")
	require.Equal(t, Warning, found("read_follows").Level)

	w.o.ReadDSN = w.o.DSN
	require.Equal(t, Warning, found("read_server").Level, "it is the primary")
	w.o.ReadDSN = w.read
	w.replica.Kill()
	require.Equal(t, Warning, found("read_answers").Level)
	require.Contains(t, found("read_answers").Found, w.replica.Addr)
	for _, d := range w.look().Findings {
		require.False(t, d.Level == Danger && strings.HasPrefix(d.Check, "read_") && d.Check != "read_only", "%+v", d)
	}
	w.o.ReadDSN = ""
	require.Empty(t, w.look().finding(Database, "read_answers"), "no replica is set")
}

// An account that may not read what buyers look up is told by the tables, with the line that lets it.
func TestRightsOnTheReplica(t *testing.T) {
	w := newPair(t)
	w.migrate()
	w.run("CREATE USER reader@'%' IDENTIFIED BY 'secret'", "GRANT SELECT ON shop.sales TO reader@'%'")
	config, err := mysql.ParseDSN(w.read)
	require.NoError(t, err)
	config.User, config.Passwd = "reader", "secret"
	w.o.ReadDSN = config.FormatDSN()
	var rights Finding
	require.Eventually(t, func() bool {
		found := w.look().finding(Database, "read_rights")
		if len(found) == 1 {
			rights = found[0]
		}
		return len(found) == 1 // until then the replica does not know the account
	}, soon, often)
	require.Equal(t, Warning, rights.Level)
	require.Contains(t, rights.Found, "'reader'@'%' may not read orders, replica_beat")
	require.Equal(t, Unknown, worst(t, w.look(), Database, "read_follows").Level)
	w.replica.Exec(t, "SET GLOBAL read_only = OFF")
	require.Equal(t, OK, worst(t, w.look(), Database, "read_writable").Level, "the account may not write")
	w.run(rights.Mend)
	w.follows()
	require.Equal(t, OK, worst(t, w.look(), Database, "read_rights").Level)
}

// What the real servers of the tests do not have.
func TestJudgedReplicas(t *testing.T) {
	with := func(change func(*databaseFacts)) databaseFacts {
		f := healthyDatabase("server_uuid", "one", "server_id", "1")
		f.reads = &readsFacts{name: "flashsale", serverFacts: serverFacts{addr: "r:3306", account: "'a'@'%'",
			variables: map[string]string{"server_uuid": "two", "version": "8.4.3", "read_only": "ON"},
			replica:   replicaFacts{source: "db", port: "3306", sourceID: "1", lag: "0"}},
			beats: beatFacts{primary: 5, replica: 5}}
		change(&f)
		return f
	}
	beats := func(b beatFacts) databaseFacts { return with(func(f *databaseFacts) { f.reads.beats = b }) }
	for _, c := range []struct {
		name, check string
		facts       databaseFacts
		want        Level
	}{
		{"at rest", "read_follows", beats(beatFacts{primary: 5, replica: 5}), OK},
		{"in time", "read_follows", beats(beatFacts{primary: 9, replica: 8, moved: true, behind: 200 * time.Millisecond}), OK},
		{"late", "read_follows", beats(beatFacts{primary: 9, replica: 9, moved: true, behind: 700 * time.Millisecond}), Warning},
		{"lost beats", "read_follows", beats(beatFacts{primary: 9, replica: 2}), Warning},
		{"ahead", "read_follows", beats(beatFacts{primary: 5, replica: 6}), Warning},
		{"the primary refuses", "read_follows", beats(beatFacts{primaryErr: errors.New("no")}), Unknown},
		{"no word of the server", "read_follows", with(func(f *databaseFacts) {
			f.reads.replica = replicaFacts{err: errors.New("denied")}
		}), OK},
		{"a node of one Galera cluster", "read_follows", with(func(f *databaseFacts) {
			f.reads.replica, f.variables["wsrep_on"], f.reads.variables["wsrep_on"] = replicaFacts{}, "ON", "ON"
			f.status["wsrep_cluster_state_uuid"] = "g"
			f.reads.status = map[string]string{"wsrep_cluster_state_uuid": "g"}
		}), OK},
		{"rights that cannot be asked for", "read_rights", with(func(f *databaseFacts) { f.reads.rightsErr = errors.New("no") }),
			Unknown},
	} {
		assert.Equal(t, c.want, level(judgeDatabase(c.facts, Options{ReadMaxLag: 500 * time.Millisecond}), c.check), c.name)
	}
}
