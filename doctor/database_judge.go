package doctor

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// judgeDatabase judges the server, the schema and the rights.
func judgeDatabase(facts databaseFacts, o Options) []Finding {
	f := &findings{store: Database}
	const why = "Without the database nothing is settled, and gateways sell for ten minutes at most."
	if facts.err != nil {
		f.add(Danger, "answers", why, "FLASHSALE_MYSQL_DSN=USER:PASSWORD@tcp(HOST:3306)/SCHEMA  # or start the server", "%v",
			facts.err)
		return f.all
	}
	f.add(OK, "answers", why, "", "%s: the database answers", facts.addr)
	j := databaseJudge{findings: f, databaseFacts: facts, options: o}
	j.judgeVersion()
	j.judgeSchema()
	judgeRights(f, facts)
	j.judgeSession()
	j.judgeCommits()
	j.judgeWrites()
	j.judgeBounds()
	j.judgeConnections()
	j.judgeReplicas()
	j.judgeGalera()
	j.judgeMembers()
	j.judgeReads()
	return f.all
}

// databaseJudge judges one server.
type databaseJudge struct {
	*findings
	databaseFacts
	options Options
}

// variable returns a global variable. known is false where the server does not have it.
func (j databaseJudge) variable(name string) (value string, known bool) {
	value, known = j.variables[name]
	return value, known
}

// count returns a global variable as a number, 0 where the server does not have it.
func (j databaseJudge) count(name string) int64 {
	n, err := strconv.ParseInt(j.variables[name], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (j databaseJudge) on(name string) bool {
	value := j.variables[name]
	return strings.EqualFold(value, "ON") || value == "1"
}

func setGlobal(name, value string) string { return "SET GLOBAL " + name + " = " + value + ";" }

// expect adds a finding about a global variable that the server has.
func (j databaseJudge) expect(check, name, wanted, why string, bad Level, isBad func(string) bool) {
	value, known := j.variable(name)
	if !known {
		return
	}
	j.add(either(isBad(value), bad), check, why, setGlobal(name, wanted), "%s = %s", name, value)
}

func is(wanted string) func(string) bool {
	return func(value string) bool { return strings.EqualFold(value, wanted) }
}

func isNot(wanted string) func(string) bool {
	return func(value string) bool { return !strings.EqualFold(value, wanted) }
}

// below reports whether a number is less than a bound.
func below(bound int64) func(string) bool {
	return func(value string) bool {
		n, err := strconv.ParseInt(value, 10, 64)
		return err == nil && n < bound
	}
}

// flavour of a server.
func flavour(version, comment string) string {
	switch text := strings.ToLower(version + " " + comment); {
	case strings.Contains(text, "tidb"):
		return "TiDB"
	case strings.Contains(text, "mariadb"):
		return "MariaDB"
	}
	return "MySQL"
}

var leadingVersion = regexp.MustCompile(`([0-9]+)\.([0-9]+)`)

// oldest versions that the engine is tested with, as major × 1000 + minor.
var oldestDatabase = map[string]int{"MySQL": 8004, "MariaDB": 10011, "TiDB": 8000}

// versionOf reads the version of a flavour: TiDB writes its own behind that of MySQL.
func versionOf(flavour, version string) int {
	if _, own, found := strings.Cut(version, "TiDB-"); flavour == "TiDB" && found {
		version = own
	}
	parts := leadingVersion.FindStringSubmatch(version)
	if parts == nil {
		return 0
	}
	major, _ := strconv.Atoi(parts[1]) // digits
	minor, _ := strconv.Atoi(parts[2]) // digits
	return major*1000 + minor
}

func (j databaseJudge) judgeVersion() {
	const why = "The engine is tested with MySQL 8.4 and 9, MariaDB 10.11 and 11.8, and TiDB 8."
	name, version := flavour(j.variables["version"], j.variables["version_comment"]), j.variables["version"]
	old := versionOf(name, version) < oldestDatabase[name]
	j.add(either(old, Warning), "version", why, "SELECT VERSION();  -- a newer server is needed", "%s %s", name, version)
}

const whySchema = "Gateway and settle do not start on another schema than their own."

// judgeSchema judges the tables. A schema that is not migrated yet is no fault.
func (j databaseJudge) judgeSchema() {
	switch {
	case j.foreignErr != nil:
		j.unknown("schema", whySchema, "GRANT SELECT ON `"+j.name+"`.* TO "+j.account+";", j.foreignErr)
	case len(j.foreign) > 0:
		j.add(Danger, "schema", "Migrate changes nothing in a schema with tables of another program.",
			"CREATE DATABASE flashsale CHARACTER SET utf8mb4;  -- and name it in mysql.dsn",
			"tables with the engine's names that are not its own: %s", strings.Join(j.foreign, ", "))
	case !j.migrated():
		j.add(OK, "schema", whySchema, "", "not migrated yet: flashsale migrate makes the tables")
	case isSchemaFault(j.schemaErr):
		j.add(Danger, "schema", whySchema, "flashsale migrate", "%v", j.schemaErr)
	case j.schemaErr != nil:
		j.unknown("schema", whySchema, "GRANT SELECT ON `"+j.name+"`.* TO "+j.account+";", j.schemaErr)
	default:
		j.add(OK, "schema", whySchema, "", "the schema is this version's")
	}
	const charset = "Tables that a later version makes without naming theirs get the schema's character set."
	if j.charset != "" {
		j.add(either(j.charset != "utf8mb4", Warning), "charset", charset, "ALTER DATABASE `"+j.name+"` CHARACTER SET utf8mb4;",
			"the schema has %s", j.charset)
	}
	j.judgeTables()
}

// judgeTables finds tables that another engine stores, and collations that take two ids for one.
func (j databaseJudge) judgeTables() {
	const engine = "Only InnoDB's tables have transactions; half a batch of another one stays after an error."
	const collation = "Ids that differ in case only are then one id."
	var stored, folded []string
	for _, t := range j.tables {
		if !strings.EqualFold(t.engine, "InnoDB") {
			stored = append(stored, t.name)
		}
		if !strings.HasSuffix(t.collation, "_bin") {
			folded = append(folded, t.name)
		}
	}
	switch {
	case j.tablesErr != nil:
		j.unknown("tables", engine, "GRANT SELECT ON `"+j.name+"`.* TO "+j.account+";", j.tablesErr)
	case len(stored) > 0:
		j.add(Danger, "tables", engine, "ALTER TABLE `"+stored[0]+"` ENGINE = InnoDB;", "not InnoDB: %s", strings.Join(stored,
			", "))
	case len(folded) > 0:
		j.add(Danger, "tables", collation, "ALTER TABLE `"+folded[0]+"` DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;",
			"not compared by bytes: %s", strings.Join(folded, ", "))
	default:
		j.add(OK, "tables", engine, "", "%d tables of the engine are InnoDB's and compare ids by bytes", len(j.tables))
	}
}

// judgeSession compares a session with what the engine has set in it.
func (j databaseJudge) judgeSession() {
	const why = "The engine sets isolation, time zone and strict mode in each of its sessions. A proxy that shares connections " +
		"loses " +
		"them, and times, locks and cut values are then wrong."
	if j.sessionErr != nil {
		j.add(Danger, "session", why, "FLASHSALE_MYSQL_DSN=USER:PASSWORD@tcp(HOST:3306)/SCHEMA  # of the server, past the proxy",
			"the server refuses the engine's session: %v", j.sessionErr)
		return
	}
	isolation := j.session["tx_isolation"]
	if isolation == "" {
		isolation = j.session["transaction_isolation"]
	}
	var wrong []string
	for _, kept := range []struct{ name, value, wanted string }{
		{"isolation", isolation, "READ-COMMITTED"}, {"time_zone", j.session["time_zone"], "+00:00"},
		{"innodb_lock_wait_timeout", j.session["innodb_lock_wait_timeout"], "5"},
	} {
		if kept.value != kept.wanted {
			wrong = append(wrong, fmt.Sprintf("%s is %q", kept.name, kept.value))
		}
	}
	if !strings.Contains(j.session["sql_mode"], "STRICT_ALL_TABLES") {
		wrong = append(wrong, "sql_mode is not strict")
	}
	if len(wrong) > 0 {
		j.add(Danger, "session", why, "FLASHSALE_MYSQL_DSN=USER:PASSWORD@tcp(HOST:3306)/SCHEMA  # of the server, past the proxy",
			"the session does not keep what it is told: %s", strings.Join(wrong, ", "))
		return
	}
	j.add(OK, "session", why, "", "a session keeps isolation, time zone and strict mode")
}

// judgeCommits judges what a commit means.
func (j databaseJudge) judgeCommits() {
	const flush = "A commit is not on the disk: a crash loses payments and cancellations that were answered; 0 loses them when " +
		"the " +
		"server's process ends."
	lost := Danger
	if j.on("wsrep_on") && j.variables["innodb_flush_log_at_trx_commit"] == "2" {
		lost = Warning // the other nodes of the cluster have the commit
	}
	j.expect("flush", "innodb_flush_log_at_trx_commit", "1", flush, lost, isNot("1"))
	if j.on("log_bin") {
		const sync = "A crash of the machine loses the end of the binary log, so replicas have other rows than the primary."
		j.expect("sync_binlog", "sync_binlog", "1", sync, Warning, isNot("1"))
		const format = "InnoDB refuses every write of a READ COMMITTED session while the binary log has statements."
		j.expect("binlog_format", "binlog_format", "'ROW'", format, Danger, is("STATEMENT"))
	}
	const doublewrite = "A page that is half written in a crash cannot be repaired."
	if value, known := j.variable("innodb_doublewrite"); known {
		j.add(either(is("OFF")(value), Warning), "doublewrite", doublewrite,
			"innodb_doublewrite=ON  # in my.cnf, then restart the server",
			"innodb_doublewrite = %s", value)
	}
	const autocommit = "Statements outside of a transaction are never committed: leases, heartbeats and payments get lost."
	j.expect("autocommit", "autocommit", "ON", autocommit, Danger, isNot("ON"))
}

// judgeWrites finds servers that take no writes.
func (j databaseJudge) judgeWrites() {
	const why = "Settlement cannot write, so orders stay queued, and a gateway sells for ten minutes at most."
	refusing := ""
	for _, name := range []string{"read_only", "super_read_only", "innodb_read_only", "tx_read_only", "transaction_read_only"} {
		if refusing == "" && j.on(name) {
			refusing = name // the end of read_only is that of super_read_only too
		}
	}
	if refusing == "" {
		j.add(OK, "read_only", why, "", "the server takes writes")
		return
	}
	j.add(Danger, "read_only", why, setGlobal(refusing, "OFF"), "%s = ON", refusing)
}

const million = 1_000_000

// Least size of a packet, whatever the settings: a dead letter is a record of 1 MiB, escaped.
const leastPacket = 4 << 20

// connectionLife is how long the engine keeps a connection.
const connectionLife = 3 * time.Minute

func (j databaseJudge) judgeBounds() {
	packet := max(int64(leastPacket), 4*int64(j.options.BatchBytes)) // a row takes up to four times the bytes of its order
	const why = "A statement beyond it is refused, and the records of the transaction do not settle."
	j.expect("max_packet", "max_allowed_packet", decimal(packet), why, Danger, below(packet))
	const connect = "A database that did not answer for a while counts abandoned connections, and beyond this refuses the " +
		"gateways' " +
		"hosts (error 1129) until FLUSH HOSTS."
	j.expect("connect_errors", "max_connect_errors", decimal(million), connect, Warning, below(million))
	const idle = "The server ends connections that the engine still has in its pool, and their next statements have to connect " +
		"again."
	j.expect("wait_timeout", "wait_timeout", "28800", idle, Warning, below(int64(connectionLife.Seconds())))
	const limit = "The server ends statements that run longer, and settlement repeats them."
	for _, name := range []string{"max_statement_time", "max_execution_time"} {
		j.expect("statement_time", name, "0", limit, Warning, func(value string) bool {
			longest, err := strconv.ParseFloat(value, 64)
			return err == nil && longest > 0
		})
	}
	const safe = "Updates that do not name a key are refused in safe mode."
	j.expect("safe_updates", "sql_safe_updates", "OFF", safe, Warning, is("ON"))
	const recovery = "A server that starts with innodb_force_recovery refuses writes or loses them."
	if value, known := j.variable("innodb_force_recovery"); known {
		j.add(either(value != "0", Danger), "force_recovery", recovery,
			"sed -i '/innodb_force_recovery/d' /etc/mysql/my.cnf  # then restart the server", "innodb_force_recovery = %s", value)
	}
}

// Connections that docs/operations.md names, and how many processes are the least of a deployment that survives one.
const (
	gatewayConnections = 18
	settleConnections  = 16
	leastProcesses     = 2
	otherConnections   = 10 // of operators and commands
)

func (j databaseJudge) judgeConnections() {
	const why = "Each gateway takes up to 18 connections and each settling process 16; one that gets none does not work."
	gateways := max(j.gateways, leastProcesses)
	needed := gateways*gatewayConnections + leastProcesses*settleConnections + otherConnections
	limit := j.count("max_connections")
	level := OK
	switch {
	case limit == 0:
		return // TiDB: no limit
	case limit < gatewayConnections+settleConnections:
		level = Danger
	case limit < needed:
		level = Warning
	}
	j.add(level, "max_connections", why, setGlobal("max_connections", decimal(needed)),
		"max_connections = %d, and %d gateways with %d settling processes take up to %d", limit, gateways, leastProcesses, needed)
}
