package doctor

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// list names several servers in the place of one.
func list(dsn string, servers ...*harness.MariaDBServer) string {
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.Addr)
	}
	return strings.Replace(dsn, servers[0].Addr, strings.Join(addrs, ","), 1)
}

// Each server of a list is judged: a primary and its replica belong together, a third server does not; one that is away, and two
// that take writes, are named.
func TestServersOfTheList(t *testing.T) {
	w := newPair(t)
	w.migrate()
	w.o.ReadDSN = ""
	members := func() []Finding {
		var found []Finding
		for _, f := range w.look().finding(Database, "members") {
			if f.Level != OK {
				found = append(found, f)
			}
		}
		return found
	}
	require.Empty(t, w.look().finding(Database, "members"), "one server is no list")
	w.o.DSN = list(w.o.DSN, w.server, w.replica)
	require.Eventually(t, func() bool { return len(members()) == 0 }, soon, often, "%v", members())
	require.Len(t, w.look().finding(Database, "members"), 2)

	w.replica.Exec(t, "SET GLOBAL read_only = OFF")
	found := members()
	require.Len(t, found, 1)
	require.Equal(t, Danger, found[0].Level)
	require.Contains(t, found[0].Found, w.replica.Addr+" takes writes beside "+w.server.Addr)
	w.replica.Exec(t, strings.TrimSpace(strings.Split(found[0].Mend, "--")[0]))
	require.Empty(t, members())
	w.replica.Exec(t, "STOP SLAVE")
	found = members()
	require.Equal(t, Warning, found[0].Level, "a replica that stands still")
	require.Contains(t, found[0].Found, "NULL s behind")
	w.replica.Exec(t, "START SLAVE")
	require.Eventually(t, func() bool { return len(members()) == 0 }, soon, often)
	w.replica.Exec(t, "ALTER TABLE shop.orders ADD COLUMN other INT")
	found = members()
	require.Equal(t, Danger, found[0].Level)
	require.Contains(t, found[0].Found, "orders.other")

	stranger := harness.MariaDBOf(t, "mariadb-10.11", "--server-id=3")
	stranger.DSN("shop") // makes the database
	w.o.DSN = list(w.server.DSN("shop"), w.server, stranger)
	found = members()
	require.Len(t, found, 1)
	require.Equal(t, Danger, found[0].Level)
	require.Contains(t, found[0].Found, stranger.Addr+" is no replica")
	w.o.DSN = list(w.server.DSN("shop"), w.server, w.server)
	require.Equal(t, Warning, members()[0].Level, "one server twice")
	stranger.Kill()
	w.o.DSN = list(w.server.DSN("shop"), w.server, stranger)
	require.Equal(t, Warning, members()[0].Level)
	require.Contains(t, members()[0].Found, stranger.Addr)
}

// Two nodes of a Galera cluster are servers of one list; the suites run this on such a cluster too.
func TestNodesInAList(t *testing.T) {
	w := newDatabase(t)
	w.migrate()
	first := w.o.DSN
	second := w.server.WriterDSN(1, "shop")
	if first == second {
		require.False(t, harness.Galera(t, w.root))
		return
	}
	at := func(dsn string) string { return dsn[strings.Index(dsn, "(")+1 : strings.Index(dsn, ")")] }
	w.o.DSN = strings.Replace(first, at(first), at(first)+","+at(second), 1)
	found := w.look().finding(Database, "members")
	require.Len(t, found, 2)
	for _, f := range found {
		require.Equal(t, OK, f.Level, "%+v", f)
	}
}

func TestJudgedMembers(t *testing.T) {
	with := func(change func(primary, replica *serverFacts)) databaseFacts {
		f := healthyDatabase()
		server := func(addr, id, readOnly string) serverFacts {
			return serverFacts{addr: addr, account: "'a'@'%'", status: map[string]string{}, columns: []string{"orders.order_id"},
				variables: map[string]string{"version": "8.4.3", "server_id": id, "server_uuid": addr, "read_only": readOnly}}
		}
		f.members = []serverFacts{server("a:3306", "1", "OFF"), server("b:3306", "2", "ON")}
		f.members[1].replica = replicaFacts{source: "db-a", port: "3306", sourceID: "1", lag: "0"}
		change(&f.members[0], &f.members[1])
		return f
	}
	galera := func(s *serverFacts, group, state string) {
		s.variables["wsrep_on"], s.variables["read_only"], s.replica = "ON", "OFF", replicaFacts{}
		s.status = map[string]string{"wsrep_cluster_state_uuid": group, "wsrep_cluster_status": "Primary",
			"wsrep_local_state_comment": state}
	}
	tidb := func(s *serverFacts, columns ...string) {
		s.variables["version"], s.variables["read_only"] = "8.0.11-TiDB-v8.5.1", "OFF"
		s.replica, s.columns = replicaFacts{}, columns
	}
	for _, c := range []struct {
		name   string
		change func(a, b *serverFacts)
		want   Level
		found  string
	}{
		{"a replica", func(*serverFacts, *serverFacts) {}, OK, "b:3306 is a replica of a:3306"},
		{"a replica that has not connected", func(_, b *serverFacts) {
			b.replica.sourceID, b.replica.source = "0", "a"
		}, OK, "b:3306 is a replica of a:3306"},
		{"a late replica", func(_, b *serverFacts) { b.replica.lag = "60" }, Warning, "60 s behind"},
		{"a replica of another", func(_, b *serverFacts) { b.replica.sourceID = "9" }, Danger, "which is not in the list"},
		{"away", func(_, b *serverFacts) { b.err = errors.New("b:3306: refused") }, Warning, "b:3306: refused"},
		{"all read-only", func(a, _ *serverFacts) { a.variables["read_only"] = "1" }, Danger, "read_only = ON"},
		{"no word", func(_, b *serverFacts) { b.replica = replicaFacts{err: errors.New("denied")} }, Unknown, "denied"},
		{"no look at the tables", func(_, b *serverFacts) { b.columnsErr = errors.New("denied") }, Unknown, "denied"},
		{"Galera", func(a, b *serverFacts) { galera(a, "g", "Synced"); galera(b, "g", "Synced") }, OK, "one Galera cluster"},
		{"a node that joins", func(a, b *serverFacts) { galera(a, "g", "Synced"); galera(b, "g", "Joining") }, Warning, "Join"},
		{"another Galera", func(a, b *serverFacts) { galera(a, "g", "Synced"); galera(b, "h", "Synced") }, Danger, "no replica"},
		{"TiDB", func(a, b *serverFacts) { tidb(a, "orders.1"); tidb(b, "orders.1") }, OK, "one TiDB cluster"},
		{"another TiDB", func(a, b *serverFacts) { tidb(a, "orders.1"); tidb(b, "orders.2") }, Danger, "another TiDB cluster"},
	} {
		all := ofCheck(inOrder(judgeDatabase(with(c.change), Options{})), "members")
		assert.Equal(t, c.want, all[0].Level, "%s: %+v", c.name, all)
		assert.True(t, slices.ContainsFunc(all, func(f Finding) bool { return strings.Contains(f.Found, c.found) }), "%s: %+v",
			c.name, all)
		assert.Equal(t, c.want == OK, all[0].Mend == "", c.name)
	}
}
