package doctor

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"flashsale/dsn"
	"flashsale/sale"
)

// databaseFacts is what the database said. err is set when it did not answer.
type databaseFacts struct {
	addr, name string // host:port, and the schema
	account    string // as GRANT takes it: 'user'@'host'
	err        error

	variables map[string]string // global variables, by their names in lower case
	status    map[string]string // the same of the status
	clock     clockReading
	clockErr  error

	session    map[string]string // variables of a session that the engine's statements have set up
	sessionErr error

	schemaErr  error // of Schema.CheckSchema
	foreign    []string
	foreignErr error
	tables     []tableFacts
	tablesErr  error

	charset string // of the schema
	rights  databaseRights
	replica replicaFacts
	members []serverFacts // each server of the DSN, asked alone; nil where the DSN names one
	reads   *readsFacts   // the replica for reads of orders; nil where none is set
	sales   salesFacts
	// gateways that sent a heartbeat in the last minute
	gateways    int64
	gatewaysErr error
}

// replicaFacts is the replication of a server from another one.
type replicaFacts struct {
	err          error // not allowed to look
	source, port string
	sourceID     string // the server_id of the source, "" or 0 until it was reached
	lag          string // seconds, NULL while it does not run
}

// tableFacts is one of the engine's tables, as the schema has it.
type tableFacts struct{ name, engine, collation string }

// salesFacts are the sales that are neither closed nor archived.
type salesFacts struct {
	err  error
	open []saleFacts
}

// saleFacts is one sale.
type saleFacts struct {
	id         string
	buckets    int64
	unsold     int64         // units of all SKUs that no order has taken, those on their way included
	listed     int64         // buyers of its list
	listLoaded bool          // Redis has the list already
	lasts      time.Duration // from its start to its end
}

const (
	sqlVariables = "SHOW GLOBAL VARIABLES"
	sqlStatus    = "SHOW GLOBAL STATUS"
	sqlClock     = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
	sqlCharset   = "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = DATABASE()"
	sqlTables    = "SELECT table_name, COALESCE(engine, ''), COALESCE(table_collation, '') FROM information_schema.tables " +
		"WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
	sqlSales = "SELECT s.sale_id, s.buckets, s.list_size, s.state <> 'draft', " +
		"CAST(TIMESTAMPDIFF(SECOND, s.starts_at, s.ends_at) AS SIGNED), " +
		"CAST(COALESCE((SELECT SUM(i.stock) FROM items i WHERE i.sale_id = s.sale_id), 0) AS SIGNED) - " +
		"CAST(COALESCE((SELECT SUM(t.settled - t.released) FROM stock t WHERE t.sale_id = s.sale_id), 0) AS SIGNED) " +
		"FROM sales s WHERE s.state NOT IN ('closed', 'archived') ORDER BY s.sale_id"
	sqlGateways = "SELECT COUNT(*) FROM gateways WHERE seen_ms > CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) - 60000"
)

// lookAtDatabase reads the server, the schema and the rights of the account.
func lookAtDatabase(ctx context.Context, o Options) databaseFacts {
	facts := databaseFacts{}
	name, err := readName(o.DSN, o.DatabaseTLS)
	if err != nil {
		facts.err = fmt.Errorf("read mysql.dsn: %w", err)
		return facts
	}
	facts.addr, facts.name = name.Addrs(), name.Config.DBName
	connector, err := name.Connector()
	if err != nil {
		facts.err = fmt.Errorf("read mysql.dsn: %w", err)
		return facts
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		facts.err = fmt.Errorf("connect to the database at %s: %w", facts.addr, err)
		facts.sales.err = facts.err
		return facts
	}
	var beside sync.WaitGroup
	beside.Go(func() { facts.members = lookAtMembers(ctx, name, o.Schema) })
	beside.Go(func() { facts.reads = lookAtReads(ctx, o, db) })
	r := &databaseReader{db: db, facts: &facts}
	r.readServer(ctx)
	r.readSession(ctx)
	r.readSchema(ctx, o.Schema)
	r.readRights(ctx, o.Schema)
	r.readSales(ctx)
	beside.Wait()
	return facts
}

// readName reads a data source name and sets what the doctor's connections have in common.
func readName(text string, secured *tls.Config) (*dsn.Name, error) {
	name, err := dsn.Parse(text)
	if err != nil {
		return nil, err
	}
	name.Secure(secured)
	config := name.Config
	config.ParseTime, config.Loc, config.InterpolateParams = false, time.UTC, true
	config.Timeout, config.ReadTimeout, config.WriteTimeout = dialTimeout, callTimeout, callTimeout
	if config.Params == nil {
		config.Params = map[string]string{}
	}
	config.Params["time_zone"] = "'+00:00'" // in an hour that a zone has twice, its clock is ambiguous
	config.Logger = &mysql.NopLogger{}      // every error it would print is also returned
	return name, nil
}

// databaseReader fills the facts.
type databaseReader struct {
	db    *sql.DB
	facts *databaseFacts
}

// pairs reads rows of a name and a value.
func pairs(ctx context.Context, from interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, statement string) (found map[string]string, err error) {
	rows, err := from.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found = map[string]string{}
	for rows.Next() {
		var name string
		var value sql.NullString
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		found[strings.ToLower(name)] = value.String
	}
	return found, rows.Err()
}

func (r *databaseReader) readServer(ctx context.Context) {
	f := r.facts
	if f.variables, f.err = pairs(ctx, r.db, sqlVariables); f.err != nil {
		f.err = fmt.Errorf("read the variables of the database at %s: %w", f.addr, f.err)
		return
	}
	f.status, _ = pairs(ctx, r.db, sqlStatus) // without it the checks that need it are not made
	f.account = accountOf(ctx, r.db)
	for range clockReadings {
		sent := time.Now()
		var ms int64
		if f.clockErr = r.db.QueryRowContext(ctx, sqlClock).Scan(&ms); f.clockErr != nil {
			return
		}
		f.clock.keep(time.UnixMilli(ms), sent, time.Now())
	}
	f.replica = readReplica(ctx, r.db)
}

// errSyntax is the number of the error about a statement that the server does not have.
const errSyntax = 1064

// deniedErrors are the numbers with which a server denies a right on a schema, a table or a column; 8121 is TiDB's.
var deniedErrors = []uint16{1044, 1142, 1143, 8121}

// number is the number of a database's error, 0 of any other.
func number(err error) uint16 {
	var answer *mysql.MySQLError
	if errors.As(err, &answer) {
		return answer.Number
	}
	return 0
}

// sessionStatements are those with which the engine sets up each of its sessions.
var sessionStatements = []string{
	"SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 5",
	"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
}

// readSession sets up one session as the engine does, and reads back what it has. A proxy that shares connections loses it.
func (r *databaseReader) readSession(ctx context.Context) {
	f := r.facts
	conn, err := r.db.Conn(ctx)
	if err != nil {
		f.sessionErr = err
		return
	}
	defer conn.Close()
	for _, statement := range sessionStatements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			f.sessionErr = err
			return
		}
	}
	f.session, f.sessionErr = pairs(ctx, conn, "SHOW SESSION VARIABLES")
}

func (r *databaseReader) readSchema(ctx context.Context, schema Schema) {
	f := r.facts
	f.schemaErr = schema.CheckSchema(ctx)
	f.foreign, f.foreignErr = schema.ForeignTables(ctx)
	if err := r.db.QueryRowContext(ctx, sqlCharset).Scan(&f.charset); err != nil {
		f.charset = ""
	}
	names, err := schema.Tables()
	if err != nil {
		f.tablesErr = err
		return
	}
	ours := map[string]bool{}
	for _, name := range names {
		ours[name] = true
	}
	rows, err := r.db.QueryContext(ctx, sqlTables)
	if err != nil {
		f.tablesErr = err
		return
	}
	defer rows.Close()
	for rows.Next() {
		var t tableFacts
		if f.tablesErr = rows.Scan(&t.name, &t.engine, &t.collation); f.tablesErr != nil {
			return
		}
		if ours[t.name] {
			f.tables = append(f.tables, t)
		}
	}
	f.tablesErr = rows.Err()
}

// migrated reports whether the schema has tables of the engine, of whatever version.
func (f databaseFacts) migrated() bool { return len(f.tables) > 0 && len(f.foreign) == 0 }

func (r *databaseReader) readSales(ctx context.Context) {
	f := r.facts
	if !f.migrated() {
		return // before the first migration there are no sales
	}
	f.sales = r.sales(ctx)
	f.gatewaysErr = r.db.QueryRowContext(ctx, sqlGateways).Scan(&f.gateways)
}

func (r *databaseReader) sales(ctx context.Context) (found salesFacts) {
	rows, err := r.db.QueryContext(ctx, sqlSales)
	if err != nil {
		return salesFacts{err: err}
	}
	defer rows.Close()
	for rows.Next() {
		var s saleFacts
		var seconds int64
		if found.err = rows.Scan(&s.id, &s.buckets, &s.listed, &s.listLoaded, &seconds, &s.unsold); found.err != nil {
			return found
		}
		s.lasts = time.Duration(seconds) * time.Second
		found.open = append(found.open, s)
	}
	found.err = rows.Err()
	return found
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// isSchemaFault reports whether the schema was read and is not this binary's.
func isSchemaFault(err error) bool { return errors.Is(err, sale.ErrSchema) }
