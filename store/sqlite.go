//go:build !nodev

package store

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

func sqliteDialect() *dialect {
	return &dialect{
		goose:          "sqlite3",
		migrations:     "migrations/sqlite",
		columns:        "SELECT m.name, c.name, 1 FROM sqlite_master m JOIN pragma_table_info(m.name) c",
		now:            "strftime('%Y-%m-%d %H:%M:%f', 'now')",
		nowMS:          "CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)",
		readOnly:       "0",
		byUpdated:      " INDEXED BY orders_updated",
		remove:         func(table string) string { return "DELETE FROM " + table + " WHERE " },
		afterDue:       "due_at >= ? AND (order_id > ? OR due_at > ?)",
		later:          func(column string) string { return "strftime('%Y-%m-%d %H:%M:%f', " + column + ", ?)" },
		shift:          func(by time.Duration) any { return fmt.Sprintf("%.3f seconds", by.Seconds()) },
		absent:         func(string) string { return " ON CONFLICT DO NOTHING" },
		oneWriter:      true,
		maxConnections: 4,
		fault:          sqliteFault,
	}
}

// Settings of every connection: readers run beside the one writer, a writer waits for the lock and takes it at the begin (so
// that no transaction fails half-way), and a commit returns when its data is on the disk.
const sqliteParameters = "_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)" +
	"&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"

func openSQLite(o Options) (*sql.DB, error) {
	forced, err := sqliteDSN(o.DSN)
	if err != nil {
		return nil, err
	}
	return o.Tracer.Open("sqlite", forced)
}

// sqliteDSN takes a path or a file: URI. The engine's parameters replace those of the DSN. It refuses a database in memory,
// because every connection would get one of its own.
func sqliteDSN(dsn string) (string, error) {
	path, query, _ := strings.Cut(dsn, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("read DSN: %w", err)
	}
	if name := strings.TrimPrefix(path, "file:"); name == "" || name == ":memory:" || values.Get("mode") == "memory" {
		return "", errors.New("read DSN: it must name a file")
	}
	for name := range values {
		if strings.HasPrefix(name, "_") {
			delete(values, name)
		}
	}
	if !strings.HasPrefix(path, "file:") {
		path = "file:" + (&url.URL{Path: path}).EscapedPath()
	}
	if len(values) == 0 {
		return path + "?" + sqliteParameters, nil
	}
	return path + "?" + values.Encode() + "&" + sqliteParameters, nil
}

// sqliteFault classifies by result code.
func sqliteFault(err error) fault {
	var answer *sqlite.Error
	if !errors.As(err, &answer) {
		return faultOther
	}
	switch answer.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return faultDuplicate
	case sqlite3.SQLITE_CONSTRAINT_CHECK, sqlite3.SQLITE_CONSTRAINT_NOTNULL, sqlite3.SQLITE_CONSTRAINT_DATATYPE:
		return faultData
	case sqlite3.SQLITE_ERROR:
		if strings.Contains(answer.Error(), "no such table") {
			return faultNoTable
		}
	}
	switch answer.Code() & 0xff { // the primary code below an extended one
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return faultTransient
	case sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return faultData
	}
	return faultOther
}
