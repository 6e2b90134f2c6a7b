package doctor

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// tables of the schema under test, with the columns that the doctor reads. The real ones are migrated in the suite of the
// built binary.
var madeTables = []string{
	"CREATE TABLE sales (sale_id VARCHAR(64) COLLATE utf8mb4_bin PRIMARY KEY, state VARCHAR(16), starts_at DATETIME(3), " +
		"ends_at DATETIME(3), buckets INT, list_size BIGINT)",
	"CREATE TABLE items (sale_id VARCHAR(64), sku VARCHAR(64), stock BIGINT)",
	"CREATE TABLE stock (sale_id VARCHAR(64), sku VARCHAR(64), settled BIGINT, released BIGINT)",
	"CREATE TABLE gateways (holder VARCHAR(128) PRIMARY KEY, seen_ms BIGINT)",
	"INSERT INTO sales VALUES ('open', 'open', '2026-11-11', '2026-11-12 12:00:00', 2, 0), " +
		"('draft', 'draft', '2026-11-11', '2026-11-12', 1, 70), ('closed', 'closed', '2026-11-11', '2026-11-12', 1, 0)",
	"INSERT INTO items VALUES ('open', 'a', 100), ('open', 'b', 50), ('draft', 'a', 7), ('closed', 'a', 5)",
	"INSERT INTO stock VALUES ('open', 'a', 30, 10), ('open', 'a', 5, 0), ('open', 'b', 0, 0)",
}

// databaseWorld is a private server with a schema.
type databaseWorld struct {
	*testing.T
	server  *harness.MariaDBServer
	root    *sql.DB
	schema  *schema
	flavour string
	o       Options
}

func newDatabase(t *testing.T) *databaseWorld {
	t.Helper()
	w := &databaseWorld{T: t, server: harness.MariaDB(t), schema: &schema{tables: []string{"gateways", "items", "sales",
		"stock"}}}
	w.root = w.server.Open(t, "shop")
	var version, comment string
	require.NoError(t, w.root.QueryRowContext(t.Context(), "SELECT @@version, @@version_comment").Scan(&version, &comment))
	w.flavour = flavour(version, comment)
	w.run("SET GLOBAL innodb_flush_log_at_trx_commit = 1") // the harness's own value is for speed
	w.run("SET GLOBAL max_connect_errors = 1000000")
	w.o = only(t, Options{DSN: w.server.DSN("shop"), Schema: w.schema}, Database)
	return w
}

func (w *databaseWorld) run(statements ...string) {
	w.Helper()
	for _, statement := range statements {
		_, err := w.root.ExecContext(w.Context(), statement)
		require.NoError(w, err, statement)
	}
}

// migrate makes the tables.
func (w *databaseWorld) migrate() {
	w.Helper()
	for _, statement := range madeTables {
		if strings.HasPrefix(statement, "CREATE") {
			statement += " ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin"
		}
		w.run(statement)
	}
	w.schema.migrated = true
}

func (w *databaseWorld) look() Report {
	return Report{Findings: inOrder(judgeDatabase(lookAtDatabase(w.Context(), w.o), w.o))}
}

// Before and after the migration nothing is dangerous, and the sales are read.
func TestDatabaseBeforeAndAfterMigration(t *testing.T) {
	w := newDatabase(t)
	r := w.look()
	require.Empty(t, dangers(r))
	require.Contains(t, worst(t, r, Database, "schema").Found, "not migrated yet")
	w.migrate()
	r = w.look()
	require.Empty(t, dangers(r))
	require.Equal(t, OK, worst(t, r, Database, "schema").Level)
	require.Equal(t, OK, worst(t, r, Database, "tables").Level)

	sales := lookAtDatabase(t.Context(), w.o).sales
	require.NoError(t, sales.err)
	require.Len(t, sales.open, 2)
	draft, open := sales.open[0], sales.open[1]
	require.Equal(t, "open", open.id)
	require.EqualValues(t, 125, open.unsold, "150 less 35 that were sold and 10 that came back")
	require.EqualValues(t, 2, open.buckets)
	require.EqualValues(t, 36, open.lasts.Hours())
	require.EqualValues(t, 7, draft.unsold)
	require.EqualValues(t, 70, draft.listed)
	require.False(t, draft.listLoaded)

	w.schema.foreign = []string{"orders"}
	require.Equal(t, Danger, worst(t, w.look(), Database, "schema").Level)
}

// databaseFaults sets one dangerous setting after the other; the line that the finding prints mends it.
var databaseFaults = []struct {
	check string
	level Level
	set   string
	on    string // the servers that have the setting, or do what it says; "": all
}{
	{"flush", Danger, "SET GLOBAL innodb_flush_log_at_trx_commit = 2", ""},
	{"flush", Danger, "SET GLOBAL innodb_flush_log_at_trx_commit = 0", ""},
	{"autocommit", Danger, "SET GLOBAL autocommit = OFF", ""},
	{"max_packet", Danger, "SET GLOBAL max_allowed_packet = 1048576", ""},
	{"connect_errors", Warning, "SET GLOBAL max_connect_errors = 100", ""},
	{"wait_timeout", Warning, "SET GLOBAL wait_timeout = 60", ""},
	{"max_connections", Warning, "SET GLOBAL max_connections = 50", ""},
	{"max_connections", Danger, "SET GLOBAL max_connections = 20", ""},
	{"statement_time", Warning, "SET GLOBAL max_statement_time = 3", "MariaDB"},
	{"statement_time", Warning, "SET GLOBAL max_execution_time = 3", "MySQL TiDB"},
	{"safe_updates", Warning, "SET GLOBAL sql_safe_updates = ON", ""},
	{"read_only", Danger, "SET GLOBAL read_only = ON", "MariaDB MySQL"},
	{"read_only", Danger, "SET GLOBAL tx_read_only = ON", "MariaDB"},
	{"read_only", Danger, "SET GLOBAL transaction_read_only = ON", "MySQL"},
	{"charset", Warning, "ALTER DATABASE shop CHARACTER SET latin1", ""},
	{"tables", Danger, "ALTER TABLE items ENGINE = MyISAM", "MariaDB MySQL"},
	{"tables", Danger, "ALTER TABLE items DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci", ""},
}

func TestDatabaseSettings(t *testing.T) {
	w := newDatabase(t)
	w.migrate()
	require.Empty(t, dangers(w.look()))
	for _, fault := range databaseFaults {
		if fault.on != "" && !strings.Contains(fault.on, w.flavour) {
			continue
		}
		t.Run(fault.set, func(t *testing.T) {
			w.run(fault.set)
			found := worst(t, w.look(), Database, fault.check)
			level := fault.level
			if strings.HasSuffix(fault.set, "flush_log_at_trx_commit = 2") && harness.Galera(w, w.root) {
				level = Warning // the other nodes have the commit
			}
			require.Equal(t, level, found.Level, "%+v", found)
			require.NotEmpty(t, found.Why)
			w.run(found.Mend)
			require.Equal(t, OK, worst(t, w.look(), Database, fault.check).Level, "%s mends it", found.Mend)
		})
	}
}

// account makes the DSN of an account with some rights.
func (w *databaseWorld) account(name string, rights ...string) {
	w.Helper()
	w.run("CREATE USER "+name+"@'%' IDENTIFIED BY 'secret'",
		fmt.Sprintf("GRANT %s ON `shop`.* TO %s@'%%'", strings.Join(rights, ", "), name))
	config, err := mysql.ParseDSN(w.o.DSN)
	require.NoError(w, err)
	config.User, config.Passwd = name, "secret"
	w.o.DSN = config.FormatDSN()
}

// Each right that is missing is found, before and after the migration, and granted by the line of the finding.
func TestDatabaseRights(t *testing.T) {
	w := newDatabase(t)
	all := []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	for _, migrated := range []bool{false, true} {
		if migrated {
			w.migrate()
		}
		for i, missing := range all {
			t.Run(fmt.Sprintf("%s %v", missing, migrated), func(t *testing.T) {
				var rights []string
				for _, right := range all {
					if right != missing {
						rights = append(rights, right)
					}
				}
				w.account(fmt.Sprintf("u%d%v", i, migrated), rights...)
				found := worst(t, w.look(), Database, "rights")
				require.Equal(t, Danger, found.Level, "%+v", found)
				require.Contains(t, found.Found, missing+" on gateways, items, sales, stock")
				w.run(found.Mend)
				require.Equal(t, OK, worst(t, w.look(), Database, "rights").Level)
			})
		}
	}
	w.account("one_table", "SELECT")
	if w.flavour != "TiDB" { // it has no replicas of this kind
		require.Equal(t, Unknown, worst(t, w.look(), Database, "replica").Level, "it takes a right to look")
		w.run(worst(t, w.look(), Database, "replica").Mend)
		require.Equal(t, OK, worst(t, w.look(), Database, "replica").Level)
	}

	w.schema.migrated = false
	migrate := worst(t, w.look(), Database, "migrate_rights")
	require.Equal(t, Warning, migrate.Level)
	w.run(migrate.Mend)
	require.Equal(t, OK, worst(t, w.look(), Database, "migrate_rights").Level)
	var rows int
	require.NoError(t, w.root.QueryRow("SELECT COUNT(*) FROM items").Scan(&rows))
	require.Equal(t, 4, rows, "nothing is written")
}

// A database that is away, or refuses the account, is told with its address.
func TestDatabaseThatDoesNotAnswer(t *testing.T) {
	w := newDatabase(t)
	config, err := mysql.ParseDSN(w.o.DSN)
	require.NoError(t, err)
	config.User = "nobody-of-that-name"
	refused := config.FormatDSN()
	config.Addr = harness.Address(t)
	for _, dsn := range []string{refused, config.FormatDSN()} {
		w.o.DSN = dsn
		facts := lookAtDatabase(t.Context(), w.o)
		require.Error(t, facts.err)
		found := judgeDatabase(facts, w.o)
		require.Len(t, found, 1)
		require.Equal(t, Danger, found[0].Level)
		require.Contains(t, found[0].Found, facts.addr)
	}
}

// A database whose clock is another one's than Redis's is a danger.
func TestDatabaseClock(t *testing.T) {
	w := newDatabase(t)
	redis := harness.Redis(t)
	w.o.RedisAddrs = []string{redis.Addr}
	compare := func() Report {
		o := w.o
		c := readClocks(lookAtRedis(t.Context(), o), kafkaFacts{}, lookAtDatabase(t.Context(), o), now())
		return Report{Findings: inOrder(judgeClocks(c))}
	}
	require.Equal(t, OK, worst(t, compare(), Clocks, "database").Level)
	require.Equal(t, OK, worst(t, compare(), Clocks, "local").Level)
	config, err := mysql.ParseDSN(w.o.DSN)
	require.NoError(t, err)
	config.Params = map[string]string{"timestamp": "1700000000"} // the server's own way to set a session's clock
	w.o.DSN = config.FormatDSN()
	found := worst(t, compare(), Clocks, "database")
	require.Equal(t, Danger, found.Level)
	require.Contains(t, found.Found, "behind")
}
