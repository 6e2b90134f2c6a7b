package doctor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"flashsale/dsn"
)

// serverFacts is what one server said when it was asked alone: one of several in mysql.dsn, or that of mysql.read_dsn.
type serverFacts struct {
	addr, account string
	err           error // it did not answer

	variables map[string]string // global variables, by their names in lower case
	status    map[string]string // the same of the status
	replica   replicaFacts

	columns    []string // of the engine's tables, as TABLE.COLUMN; TiDB's with the number of the table. Sorted
	columnsErr error
}

const (
	sqlWho     = "SELECT CURRENT_USER()"
	sqlColumns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()"
	// Servers of one TiDB cluster have the same tables, and say so by no other sign that every account may see.
	sqlTiDBTables = "SELECT table_name, CONCAT(tidb_table_id, ' of ', create_time) FROM information_schema.tables " +
		"WHERE table_schema = DATABASE()"
)

// lookAtServer reads one server.
func lookAtServer(ctx context.Context, name *dsn.Name, tables []string) serverFacts {
	connector, err := name.Connector()
	if err != nil {
		return serverFacts{addr: name.Addrs(), err: err}
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	return readServer(ctx, db, name.Addrs(), tables)
}

// readServer reads the server of a pool.
func readServer(ctx context.Context, db *sql.DB, addr string, tables []string) serverFacts {
	f := serverFacts{addr: addr}
	if f.variables, f.err = pairs(ctx, db, sqlVariables); f.err != nil {
		f.err = fmt.Errorf("read the variables of the database at %s: %w", addr, f.err)
		return f
	}
	if f.status, f.err = pairs(ctx, db, sqlStatus); f.err != nil {
		f.err = fmt.Errorf("read the status of the database at %s: %w", addr, f.err)
		return f
	}
	f.account = accountOf(ctx, db)
	if !f.isTiDB() { // it has no replicas of this kind
		f.replica = readReplica(ctx, db)
	}
	statement := sqlColumns
	if f.isTiDB() {
		statement = sqlTiDBTables
	}
	f.columns, f.columnsErr = readColumns(ctx, db, statement, tables)
	return f
}

func readColumns(ctx context.Context, db *sql.DB, statement string, tables []string) (columns []string, err error) {
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return nil, err
		}
		if slices.Contains(tables, table) {
			columns = append(columns, table+"."+column)
		}
	}
	slices.Sort(columns)
	return columns, rows.Err()
}

// accountOf returns the account of a connection as GRANT takes it, "" where the server does not tell.
func accountOf(ctx context.Context, db *sql.DB) string {
	var who string
	if err := db.QueryRowContext(ctx, sqlWho).Scan(&who); err != nil {
		return ""
	}
	at := strings.LastIndex(who, "@")
	return "'" + who[:max(at, 0)] + "'@'" + who[at+1:] + "'"
}

// readReplica asks by both names of the statement; MySQL 8.4 has only the new one.
func readReplica(ctx context.Context, db *sql.DB) (facts replicaFacts) {
	rows, err := db.QueryContext(ctx, "SHOW REPLICA STATUS")
	if number(err) == errSyntax {
		rows, err = db.QueryContext(ctx, "SHOW SLAVE STATUS")
	}
	if err != nil {
		return replicaFacts{err: err}
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		return replicaFacts{err: errors.Join(err, rows.Err())}
	}
	values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return replicaFacts{err: err}
	}
	for i, column := range columns {
		switch strings.ToLower(column) {
		case "master_host", "source_host":
			facts.source = values[i].String
		case "master_port", "source_port":
			facts.port = values[i].String
		case "master_server_id", "source_server_id":
			facts.sourceID = values[i].String
		case "seconds_behind_master", "seconds_behind_source":
			facts.lag = "NULL"
			if values[i].Valid {
				facts.lag = values[i].String
			}
		}
	}
	return facts
}

func (s serverFacts) isTiDB() bool {
	return flavour(s.variables["version"], s.variables["version_comment"]) == "TiDB"
}

// writable reports whether connections to a list of servers would stay at this one.
func (s serverFacts) writable() bool {
	value := s.variables["read_only"]
	return value == "" || value == "0" || strings.EqualFold(value, "OFF")
}

// group returns the id of the Galera cluster that the server is a node of, "" outside of one.
func (s serverFacts) group() string {
	if on := s.variables["wsrep_on"]; strings.EqualFold(on, "ON") || on == "1" {
		return s.status["wsrep_cluster_state_uuid"]
	}
	return ""
}

// follows reports whether the server says that it copies another one: by the number that the servers of a replication have,
// or by its address while it has not reached it.
func (s serverFacts) follows(other serverFacts) bool {
	if id := s.replica.sourceID; id != "" && id != "0" {
		return id == other.variables["server_id"]
	}
	return s.replica.source != "" && net.JoinHostPort(s.replica.source, s.replica.port) == other.addr
}

// replicaRight is the right to ask a server whether it is a replica.
func (s serverFacts) replicaRight() string {
	if flavour(s.variables["version"], s.variables["version_comment"]) == "MariaDB" {
		return "REPLICA MONITOR"
	}
	return "REPLICATION CLIENT"
}

// identifying are the variables by which a server is told from every other one. Which of them there are depends on its kind.
var identifying = []string{"server_uuid", "server_uid", "server_id", "hostname", "port", "datadir", "socket"}

// isOne reports whether the variables are those of one server, which has two addresses.
func isOne(a, b map[string]string) bool {
	known := false
	for _, name := range identifying {
		if a[name] != b[name] {
			return false
		}
		known = known || a[name] != ""
	}
	return known
}
