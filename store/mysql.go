package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"flashsale/dsn"
)

func mysqlDialect() *dialect {
	return &dialect{
		goose:      "mysql",
		migrations: "migrations/mysql",

		takeMigrationLock: "SELECT GET_LOCK(" + migrationLockName + ", 10)",
		giveMigrationLock: "SELECT RELEASE_LOCK(" + migrationLockName + ")",

		columns: "SELECT table_name, column_name, @@lower_case_table_names <> 0 FROM information_schema.columns " +
			"WHERE table_schema = DATABASE()",

		now:       "UTC_TIMESTAMP(3)",
		nowMS:     "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
		readOnly:  "@@global.read_only NOT IN ('0', 'OFF')",
		forced:    " FORCE INDEX (PRIMARY)",
		byBuyer:   " FORCE INDEX (orders_buyer)",
		byUpdated: " FORCE INDEX (orders_updated)",
		byDue:     " FORCE INDEX (orders_due)",
		lock:      " FOR UPDATE",
		afterDue:  "((due_at = ? AND order_id > ?) OR due_at > ?)",
		remove: func(table string) string {
			return "DELETE " + table + " FROM " + table + " FORCE INDEX (PRIMARY) WHERE "
		},
		later:          func(column string) string { return "DATE_ADD(" + column + ", INTERVAL ? MICROSECOND)" },
		shift:          func(by time.Duration) any { return by.Microseconds() },
		absent:         func(column string) string { return " ON DUPLICATE KEY UPDATE " + column + " = " + column },
		maxConnections: 16,
		fault:          mysqlFault,
	}
}

// migrationLockName contains the name of the database, because the lock is per server. LEFT cuts it at the 64 allowed
// characters.
const migrationLockName = "LEFT(CONCAT('migrate ', DATABASE()), 64)"

// Defaults for what a DSN leaves out. The read timeout exceeds the lock wait, so that a wait ends with the server's error and
// not with a cut connection.
const (
	mysqlDialTimeout  = 3 * time.Second
	mysqlReadTimeout  = 15 * time.Second
	mysqlWriteTimeout = 15 * time.Second
)

// Settings of every session, in a form that MySQL 8.4, MariaDB 10.11 and TiDB share (MariaDB 10.11 has no
// transaction_isolation variable). In strict mode the server refuses a value that it would otherwise cut.
const (
	sqlSession = "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', " +
		"innodb_lock_wait_timeout = 5"
	sqlReadCommitted = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
)

func openMySQL(o Options) (*sql.DB, error) {
	name, err := mysqlName(o)
	if err != nil {
		return nil, err
	}
	connector, err := name.Connector()
	if err != nil {
		return nil, fmt.Errorf("read DSN: %w", err)
	}
	return o.Tracer.OpenDB(sessionConnector{connector}, "mysql"), nil
}

// mysqlName reads a DSN and sets what the store depends on: times are text (see moment), ids compare by bytes, affected rows
// count changes, and the driver drops a connection to a node that has become read-only.
func mysqlName(o Options) (*dsn.Name, error) {
	name, err := dsn.Parse(o.DSN)
	if err != nil {
		return nil, fmt.Errorf("read DSN: %w", err) // its errors do not repeat the DSN
	}
	name.Secure(o.TLS)
	config := name.Config
	if config.DBName == "" {
		return nil, errors.New("read DSN: it names no database")
	}
	err = config.Apply(mysql.Charset("utf8mb4", "utf8mb4_bin"))
	if err != nil {
		return nil, fmt.Errorf("read DSN: %w", err)
	}
	config.Loc = time.UTC
	config.ParseTime = false
	config.InterpolateParams = true
	config.RejectReadOnly = true
	config.ClientFoundRows = false
	config.MultiStatements = false
	config.ColumnsWithAlias = false
	config.CheckConnLiveness = true
	config.DialFunc = (&silences{of: map[string]*silence{}}).dial
	config.Logger = &mysql.NopLogger{} // every error it would print is also returned
	config.Timeout = orDefault(config.Timeout, mysqlDialTimeout)
	config.ReadTimeout = orDefault(config.ReadTimeout, mysqlReadTimeout)
	if o.patient {
		config.ReadTimeout = 0
	}
	config.WriteTimeout = orDefault(config.WriteTimeout, mysqlWriteTimeout)
	return name, nil
}

func orDefault(value, otherwise time.Duration) time.Duration {
	if value > 0 {
		return value
	}
	return otherwise
}

// sessionConnector sets up every new connection after the variables of the DSN, so that its settings win.
type sessionConnector struct{ driver.Connector }

// Connect opens a connection and sets its session.
func (c sessionConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("driver connection %T runs no statements", conn), conn.Close())
	}
	for _, statement := range []string{sqlSession, sqlReadCommitted} {
		if _, err := execer.ExecContext(ctx, statement, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("set up session: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// mysqlFault classifies by error number.
func mysqlFault(err error) fault {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) {
		return faultOther
	}
	if isConflict(answer) {
		return faultTransient
	}
	switch answer.Number {
	case 1062:
		return faultDuplicate
	case 1146:
		return faultNoTable
	case 1048, 1264, 1265, 1292, 1366, 1406, 1411, 1690, 3140, 3819, 4025:
		return faultData
	}
	if answer.SQLState[0] == '2' && answer.SQLState[1] == '2' { // class 22: data exception
		return faultData
	}
	return faultOther
}
